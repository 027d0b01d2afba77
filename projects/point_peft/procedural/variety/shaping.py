"""Surfaces and moves that several of the further recipes share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from ..pieces import Piece, between
from ..primitives import Surface, revolve, tube


def stretched(surface: Surface, factors: Sequence[float], offset: Sequence[float]) -> Surface:
    """A surface stretched along the axes, then moved; its area is estimated from samples of the mean factors."""
    scale = np.asarray(factors, dtype=float)
    products = np.array([scale[1] * scale[2], scale[0] * scale[2], scale[0] * scale[1]])
    return Surface(surface.area * float(products.mean()), surface.moved(np.diag(scale), offset).sample)


def bowl(rng: Generator, *, depth: float, rim: float, foot: float) -> Surface:
    """An open vessel of diameter 1 on y = 0.

    Args:
        rng (Generator): decides how round it is.
        depth (float): its height.
        rim (float): width of the rim relative to the radius.
        foot (float): radius of the bottom relative to that of the opening.
    """
    levels = np.linspace(0, 1, 6)
    bow = between(rng, 0.3, 1.0)
    inner = 0.5 * (1 - rim)
    inside = [(inner * (foot + (1 - foot) * level**bow), 0.04 + (depth - 0.04) * level) for level in levels]
    outside = [(0.5 * (foot + (1 - foot) * level**bow), depth * level) for level in levels]
    return revolve([(0, 0), *outside, *inside[::-1], (0, 0.04)])


def bent_tube(points: Sequence[ArrayLike], radius: float, *, part: str) -> list[Piece]:
    """A chain of tubes through points (K, 3)."""
    return [(part, tube(start, end, radius)) for start, end in zip(points, points[1:])]


def facing(pieces: list[Piece], rotation: np.ndarray, offset: Sequence[float] = (0, 0, 0)) -> list[Piece]:
    """Pieces after a rotation (3, 3) and an offset (3,)."""
    return [(part, surface.moved(rotation, offset)) for part, surface in pieces]
