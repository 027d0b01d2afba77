"""What a loader reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .lazy import LazyClouds
from .mapped import MappedClouds

Points = np.ndarray | Sequence[np.ndarray] | LazyClouds | MappedClouds
"""Clouds in one array, in a list, or on disk."""


@dataclass
class Clouds:
    """Objects read from the files of one subset.

    Attributes:
        points (np.ndarray | Sequence[np.ndarray] | LazyClouds | MappedClouds): (M, N, 3) float32 or float64, as the
            files have them; or M arrays (N_i, 3); or clouds that are read from disk when they are asked for, each from
            its file or, prepared, from one file of all.
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
    if isinstance(items, (LazyClouds, MappedClouds)):
        return items.take(index)
    return [items[i] for i in index]
