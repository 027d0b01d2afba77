"""The object classes, their parts, and how one object is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator

from .household import airplane, bottle, guitar, lamp, mug, umbrella
from .pieces import Piece, between
from .primitives import rotation_about
from .seating import bed, bench, chair, sofa, stool
from .storage import bookshelf, cabinet, desk, monitor, table

RECIPES: dict[str, tuple[Callable[[Generator], list[Piece]], tuple[str, ...]]] = {
    'airplane': (airplane, ('fuselage', 'wing', 'tail', 'engine')),
    'bed': (bed, ('mattress', 'frame', 'pillow')),
    'bench': (bench, ('seat', 'leg', 'back', 'arm')),
    'bookshelf': (bookshelf, ('frame', 'shelf', 'back')),
    'bottle': (bottle, ('body', 'neck', 'cap')),
    'cabinet': (cabinet, ('body', 'door', 'leg')),
    'chair': (chair, ('seat', 'leg', 'back', 'arm')),
    'desk': (desk, ('top', 'leg', 'drawer', 'rack')),
    'guitar': (guitar, ('body', 'neck', 'head')),
    'lamp': (lamp, ('base', 'pole', 'shade')),
    'monitor': (monitor, ('screen', 'stand', 'back')),
    'mug': (mug, ('body', 'handle', 'saucer')),
    'sofa': (sofa, ('seat', 'back', 'arm', 'leg')),
    'stool': (stool, ('seat', 'leg', 'back')),
    'table': (table, ('top', 'leg', 'shelf')),
    'umbrella': (umbrella, ('canopy', 'shaft', 'handle')),
}
"""Recipe and part names of every class, in label order."""

CLASSES = tuple(RECIPES)
"""Class names in label order."""

PARTS = tuple(f'{name}/{part}' for name, (_, parts) in RECIPES.items() for part in parts)
"""Part names in the order of their global ids."""

CLASS_PARTS = {
    name: tuple(PARTS.index(f'{name}/{part}') for part in parts) for name, (_, parts) in RECIPES.items()
}
"""Global part ids of every class."""

STRETCH, TAPER, SHEAR, TURN = 0.4, 0.35, 0.15, 0.8
"""Deformation of every object: largest log scale of an axis, change of width from bottom to top, lean per
height, and turn about the up axis in radians. Chosen so that linear probing is right for 80 to 90 %."""


def sample_object(
    label: int, rng: Generator, num_points: int, *, turned: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one object of a class and points on it.

    Args:
        label (int): index into :data:`CLASSES`.
        rng (Generator): decides the object and the points.
        num_points (int): number of points N, spread uniformly over the area of all surfaces.
        turned (bool): turn the object about the up axis at last; without, it faces +z.

    Returns:
        tuple[np.ndarray, np.ndarray]: (N, 3) float64 coordinates, y up, in random order, and (N,) int64
        global part ids.
    """
    name = CLASSES[label]
    points, piece = sample_pieces(pieces := RECIPES[name][0](rng), rng, num_points)
    if turned:
        points = points @ rotation_about(1, between(rng, -TURN, TURN)).T
    return points, np.array([PARTS.index(f'{name}/{part}') for part, _ in pieces])[piece]


def sample_pieces(
    pieces: Sequence[Piece], rng: Generator, num_points: int, *, stretch: float = STRETCH
) -> tuple[np.ndarray, np.ndarray]:
    """Draw points on the pieces of an object, which is deformed on the way.

    Args:
        pieces (Sequence[Piece]): what the object consists of.
        rng (Generator): decides the points and the deformation.
        num_points (int): number of points N, spread uniformly over the area of all surfaces.
        stretch (float): largest log scale of an axis.

    Returns:
        tuple[np.ndarray, np.ndarray]: (N, 3) float64 coordinates in random order, and (N,) int64 index of the piece
        that each lies on.
    """
    areas = np.array([surface.area for _, surface in pieces])
    counts = rng.multinomial(num_points, areas / areas.sum())
    points = np.concatenate([surface.sample(rng, count) for (_, surface), count in zip(pieces, counts)])
    order = rng.permutation(num_points)
    return _deform(points[order], rng, stretch), np.repeat(np.arange(len(pieces)), counts)[order]


def _deform(points: np.ndarray, rng: Generator, stretch: float) -> np.ndarray:
    """Stretch, taper and shear an object, so that no two are built of the same right angles."""
    low, high = points.min(axis=0), points.max(axis=0)
    level = (points[:, 1:2] - low[1]) / max(high[1] - low[1], 1e-6) - 0.5
    points = points * np.exp(rng.uniform(-stretch, stretch, size=3))
    taper = 1 + between(rng, -TAPER, TAPER) * level
    shift = level * rng.uniform(-SHEAR, SHEAR, size=2) * np.ptp(points[:, 1])
    return np.stack(
        [points[:, 0] * taper[:, 0] + shift[:, 0], points[:, 1], points[:, 2] * taper[:, 0] + shift[:, 1]],
        axis=1,
    )
