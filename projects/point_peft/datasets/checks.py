"""Checks that a cloud must pass before anything is computed from it."""

from __future__ import annotations

import numpy as np

from ..io.errors import DatasetError

FARTHEST = 1e19
"""Distance from the origin whose square overflows in float32."""

NEAREST = 1e-18
"""Extent below which squared distances vanish in float32."""

COINCIDE = 1e-12
"""Extent, in parts of the distance from the origin, below which the digits of float64 no longer tell points apart."""

STEPS = 4096
"""Steps of float32 that must at least lie within the extent of a cloud, or else its shape is a staircase."""


def check_cloud(points: np.ndarray, source: str) -> None:
    """Check all points of a cloud, as its file has them.

    Args:
        points (np.ndarray): (N, 3) coordinates.
        source (str): name of the cloud.

    Raises:
        DatasetError: the cloud is empty, has not three coordinates, has a NaN, infinite or overflowing coordinate, or
            all of its points are one point.
    """
    if points.ndim != 2 or points.shape[-1] != 3:
        raise DatasetError(f'{source} has shape {points.shape}; expected (number of points, 3).')
    if points.dtype.kind not in 'iuf':
        raise DatasetError(f'{source} holds values of type {points.dtype}; expected numbers.')
    if len(points) == 0:
        raise DatasetError(f'{source} is an empty cloud; remove it or give it points.')
    largest = np.abs(points).max(axis=1)
    if not np.isfinite(largest).all():
        point = int(np.argmin(np.isfinite(largest)))
        raise DatasetError(
            f'{source} has a NaN or infinite coordinate: point {point} is {points[point].tolist()}; repair or '
            'remove this cloud.'
        )
    if largest.max() >= FARTHEST / np.sqrt(3):
        point = int(np.argmax(largest))
        raise DatasetError(
            f'{source} has a coordinate whose square overflows: point {point} is {points[point].tolist()}; repair '
            'or remove this cloud.'
        )
    extent = extent_of(points)
    if extent <= COINCIDE * largest.max():
        raise DatasetError(
            f'{source} has no extent: all of its {len(points)} points are {points[0].tolist()}; repair or remove '
            'this cloud.'
        )


def check_prepared(points: np.ndarray, source: str) -> None:
    """Check that float32 keeps the shape of a cloud that is about to be cast.

    Args:
        points (np.ndarray): (N, 3) float64 or float32, the points that the model will see.
        source (str): name of the cloud.

    Raises:
        DatasetError: the points that were chosen are one point, or lie so far from the origin that float32 would
            round them visibly.
    """
    extent, farthest = extent_of(points), float(np.abs(points).max())
    if extent <= NEAREST:
        raise DatasetError(
            f'{source} has no extent: the {len(points)} points that are used of it are one point; repair or remove '
            'this cloud, or change num_points or max_points.'
        )
    step = float(np.spacing(np.float32(farthest)))
    if extent < STEPS * step:
        raise DatasetError(
            f'{source} reaches {farthest:.9g} from the origin, where float32 has steps of {step:g}, too coarse for '
            f"its extent of {extent:.4g}; set normalize='unit_sphere', or subtract the offset from the file."
        )


def is_rounded(points: np.ndarray) -> bool:
    """Whether points (N, 3) were rounded visibly before they were read, by a program that wrote them in float32."""
    farthest = float(np.abs(points).max())
    step = float(np.spacing(np.float32(farthest)))
    if extent_of(points) >= STEPS * step or not np.array_equal(points, points.astype(np.float32)):
        return False
    return step > 1 or not np.array_equal(points, np.round(points))  # whole numbers may be meant


def extent_of(points: np.ndarray) -> float:
    """Longest side of the box about points (N, 3)."""
    return float((points.max(axis=0).astype(np.float64) - points.min(axis=0)).max())
