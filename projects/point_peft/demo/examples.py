"""Clouds to try for who has no file at hand: the built-in shapes, one of each class."""

from __future__ import annotations

from functools import cache

import numpy as np

from ..datasets.normalize import unit_sphere
from ..procedural.shapes import CLASSES, sample_object

SEED = 2026
"""Of no split of the built-in data set, whose seeds are small."""

POINTS = 2048


@cache
def example(index: int) -> np.ndarray:
    """Points (N, 3) of an example of class ``index``, in the unit sphere."""
    points, _ = sample_object(index, np.random.default_rng([SEED, index]), POINTS)
    return unit_sphere(points)


def example_names() -> tuple[str, ...]:
    """What the examples are."""
    return CLASSES
