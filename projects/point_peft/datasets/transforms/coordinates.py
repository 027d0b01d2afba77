"""Helpers shared by the augmentations: uniform draws and writing back coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...io.errors import InvalidValueError


def uniform(points: Tensor, *shape: int, low: float, high: float) -> Tensor:
    """Draw from U(low, high) with the device, dtype and global torch generator of ``points``.

    Returns:
        Tensor: ``shape``.
    """
    return torch.rand(shape, device=points.device, dtype=points.dtype) * (high - low) + low


def replace_coordinates(points: Tensor, coordinates: Tensor) -> Tensor:
    """Points (B, N, C) with their first three channels replaced by ``coordinates`` (B, N, 3)."""
    if points.shape[-1] == 3:
        return coordinates
    return torch.cat([coordinates, points[..., 3:]], dim=-1)


def check_range(name: str, bounds: Sequence[float]) -> tuple[float, float]:
    """Return ``bounds`` if they are (low, high) with low <= high.

    Raises:
        ValueError: they are not.
    """
    low, high = bounds
    if low > high:
        raise InvalidValueError(f'{name}={tuple(bounds)} is not a range; give (low, high) with low <= high.')
    return low, high
