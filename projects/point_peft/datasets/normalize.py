"""Normalisation of clouds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..io.errors import InvalidValueError


def unit_sphere(points: np.ndarray) -> np.ndarray:
    """Move the mean to the origin and scale the farthest point to distance 1 (``pc_normalize``).

    All in float64: in float32 a cloud with map coordinates would be rounded to steps of half a metre before it is
    moved. A cloud whose points all coincide is only moved.

    Args:
        points (np.ndarray): (..., N, 3) coordinates of one cloud or a stack of clouds.

    Returns:
        np.ndarray: (..., N, 3) float64.
    """
    centered = points - points.mean(axis=-2, keepdims=True, dtype=np.float64)
    radius = np.linalg.norm(centered, axis=-1, keepdims=True).max(axis=-2, keepdims=True)
    return centered / np.where(radius > 0, radius, np.ones_like(radius))


def identity(points: np.ndarray) -> np.ndarray:
    """Leave the coordinates (..., N, 3) as they are in the file."""
    return points


NORMALIZERS: dict[str | None, Callable[[np.ndarray], np.ndarray]] = {
    None: identity,
    'unit_sphere': unit_sphere,
}


def get_normalizer(name: str | None) -> Callable[[np.ndarray], np.ndarray]:
    """Look up a normalisation by name.

    Raises:
        ValueError: an unknown name.
    """
    if name not in NORMALIZERS:
        raise InvalidValueError(f"normalize='{name}' is unknown; choose one of {list(NORMALIZERS)}.")
    return NORMALIZERS[name]
