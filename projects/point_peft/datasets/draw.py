"""Choosing points of a cloud: as many as are wanted, each once while there are enough."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..io.errors import InvalidValueError


def resample(points: np.ndarray, num_points: int, *, seed: int) -> np.ndarray:
    """Choose points at random, each once, or all of them plus repeats when there are too few.

    Args:
        points (np.ndarray): (N, 3).
        num_points (int): points wanted.
        seed (int): seed of the choice; a cloud that has ``num_points`` stays as it is.

    Returns:
        np.ndarray: (num_points, 3).
    """
    if len(points) == num_points:
        return points
    rng = np.random.default_rng(seed)
    if len(points) > num_points:
        return points[rng.permutation(len(points))[:num_points]]
    return np.concatenate([points, points[rng.integers(len(points), size=num_points - len(points))]])


@dataclass(frozen=True)
class PointDraw:
    """Which points of an object an item has, for objects whose points carry labels.

    Random draws use torch's global generator, so the run's seed decides them, and a new one is made at every access.
    Fixed draws depend on the object's name alone.

    Attributes:
        num_points (int | None): points of an item; an object that has fewer repeats some. None keeps all, in order.
        random (bool): whether to draw anew at every access.
        with_replacement (bool): whether a point may be drawn twice although others are left.
    """

    num_points: int | None
    random: bool
    with_replacement: bool = False

    def __post_init__(self) -> None:
        """Refuse an empty draw."""
        if self.num_points is not None and self.num_points < 1:
            raise InvalidValueError(
                f'num_points={self.num_points} must be at least 1, or None for all points.'
            )

    def __call__(self, size: int, name: str) -> Tensor:
        """Positions (num_points,) int64 among ``size`` points of the object ``name``."""
        if self.num_points is None:
            return torch.arange(size)
        seed = zlib.crc32(name.encode(errors='surrogateescape'))
        generator = None if self.random else torch.Generator().manual_seed(seed)
        if self.with_replacement:
            return torch.randint(size, (self.num_points,), generator=generator)
        distinct = torch.randperm(size, generator=generator)[: self.num_points]
        repeats = torch.randint(size, (self.num_points - len(distinct),), generator=generator)
        return torch.cat([distinct, repeats])
