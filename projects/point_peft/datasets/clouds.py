"""What a loader reads, and the checks it must pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .errors import DatasetError
from .lazy import LazyClouds

Points = np.ndarray | Sequence[np.ndarray] | LazyClouds
"""Clouds in one array, in a list, or on disk."""


@dataclass
class Clouds:
    """Objects read from the files of one subset.

    Attributes:
        points (np.ndarray | Sequence[np.ndarray] | LazyClouds): (M, N, 3) float32 or float64, as the files have them; or M arrays (N_i, 3); or
            clouds that are read from disk when they are asked for.
        labels (np.ndarray): (M,) int64 class of every object.
        sources (Sequence[str]): file (and index in it) of every object.
        parts (Sequence[np.ndarray] | None): M arrays (N_i,) int64, part of every point.
    """

    points: Points
    labels: np.ndarray
    sources: Sequence[str]
    parts: np.ndarray | Sequence[np.ndarray] | None = None

    def __len__(self) -> int:
        """Number of objects."""
        return len(self.labels)

    def subset(self, index: np.ndarray) -> Clouds:
        """Objects at the integer positions ``index`` (K,), in that order."""
        return Clouds(
            points=take(self.points, index),
            labels=self.labels[index],
            sources=[self.sources[i] for i in index],
            parts=None if self.parts is None else [self.parts[i] for i in index],
        )


def take(items: Points, index: np.ndarray) -> Points:
    """Select clouds by the integer positions ``index`` (K,)."""
    if isinstance(items, np.ndarray):
        return items[index]
    if isinstance(items, LazyClouds):
        return items.take(index)
    return [items[i] for i in index]


def check_points(points: np.ndarray, sources: Sequence[str]) -> None:
    """Check a stack of clouds.

    Args:
        points (np.ndarray): (M, N, 3) coordinates.
        sources (Sequence[str]): M names of the clouds.

    Raises:
        DatasetError: a cloud is empty, has not three coordinates, or has a NaN or infinite coordinate.
    """
    if points.ndim != 3 or points.shape[-1] != 3:
        raise DatasetError(f'{sources[0]} has shape {points.shape[1:]}; expected (number of points, 3).')
    if points.shape[1] == 0:
        raise DatasetError(f'{sources[0]} is an empty cloud; remove it or give it points.')
    finite = np.isfinite(points).all(axis=(1, 2))
    if not finite.all():
        index = int(np.argmin(finite))
        point = int(np.argmin(np.isfinite(points[index]).all(axis=-1)))
        raise DatasetError(
            f'{sources[index]} has a NaN or infinite coordinate: point {point} is '
            f'{points[index, point].tolist()}; repair or remove this cloud.'
        )


def check_labels(labels: np.ndarray, sources: Sequence[str], num_classes: int) -> None:
    """Check that every label is a class.

    Args:
        labels (np.ndarray): (M,) integers.
        sources (Sequence[str]): M names of the clouds.
        num_classes (int): number of classes.

    Raises:
        DatasetError: a label lies outside [0, num_classes).
    """
    outside = (labels < 0) | (labels >= num_classes)
    if outside.any():
        index = int(np.argmax(outside))
        raise DatasetError(
            f'{sources[index]} has label {labels[index]}, outside [0, {num_classes}); '
            f'use the files of a dataset with {num_classes} classes or correct the label.'
        )
