"""Pieces that several object classes share: legs, drawers, shelves, and random choices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from .primitives import Surface, box, revolve, tube

Piece = tuple[str, Surface]
"""Name of the part a surface belongs to, and the surface."""


def between(rng: Generator, low: float, high: float) -> float:
    """One draw from U(low, high)."""
    return float(rng.uniform(low, high))


def chance(rng: Generator, probability: float) -> bool:
    """True with the given probability."""
    return bool(rng.random() < probability)


def four_legs(rng: Generator, width: float, depth: float, height: float) -> list[Piece]:
    """Legs under the corners of a ``width`` x ``depth`` top at ``height``: posts, splayed, or panels."""
    style = rng.choice(['posts', 'round', 'splayed', 'panels', 'frame'], p=[0.3, 0.25, 0.2, 0.12, 0.13])
    thick = between(rng, 0.025, 0.08)
    inset = between(rng, 0.0, 0.12)
    x, z = width / 2 - thick - inset * width / 2, depth / 2 - thick - inset * depth / 2
    if style == 'panels':
        return [
            ('leg', box((thick, height, depth * between(rng, 0.7, 1.0)), (side * x, height / 2, 0)))
            for side in (-1, 1)
        ]
    splay = between(rng, 1.05, 1.35) if style == 'splayed' else 1.0
    taper = between(rng, 0.5, 1.0) if style != 'posts' else 1.0
    pieces: list[Piece] = []
    for sx in (-1, 1):
        for sz in (-1, 1):
            if style == 'posts':
                pieces.append(('leg', box((2 * thick, height, 2 * thick), (sx * x, height / 2, sz * z))))
            else:
                top, foot = (sx * x, height, sz * z), (sx * x * splay, 0, sz * z * splay)
                pieces.append(('leg', tube(top, foot, thick, thick * taper)))
    if style == 'frame' or chance(rng, 0.2):
        rail = height * between(rng, 0.1, 0.7)
        pieces += [('leg', box((2 * x, thick, thick), (0, rail, sz * z))) for sz in (-1, 1)]
        pieces += [('leg', box((thick, thick, 2 * z), (sx * x, rail, 0))) for sx in (-1, 1)]
    return pieces


def pedestal(rng: Generator, reach: float, height: float) -> list[Piece]:
    """One column with a foot, a disc or a star of arms, below something of half width ``reach``."""
    column = between(rng, 0.03, 0.09)
    pieces: list[Piece] = [('leg', tube((0, 0, 0), (0, height, 0), column * between(rng, 0.8, 1.8), column))]
    if chance(rng, 0.5):
        foot = reach * between(rng, 0.5, 0.9)
        pieces.append(
            ('leg', revolve([(0, 0), (foot, 0), (foot, 0.03), (column, 0.03 + between(rng, 0, 0.08))]))
        )
        return pieces
    arms, turn = int(rng.integers(3, 6)), between(rng, 0, 2 * np.pi)
    for angle in turn + np.arange(arms) * 2 * np.pi / arms:
        length = reach * between(rng, 0.7, 0.95)
        pieces.append(
            ('leg', tube((0, 0.08, 0), (length * np.cos(angle), 0.02, length * np.sin(angle)), 0.035, 0.02))
        )
    return pieces


def flat_top(rng: Generator, width: float, depth: float, height: float, *, part: str) -> list[Piece]:
    """A seat or table top: rectangular, or elliptic; ``height`` is that of its underside."""
    thick = between(rng, 0.02, 0.1)
    if chance(rng, 0.7):
        return [(part, box((width, thick, depth), (0, height + thick / 2, 0)))]
    disc = revolve([(0, 0), (0.5, 0), (0.5, thick), (0, thick)])
    stretch = np.diag([width, 1.0, depth])
    return [(part, Surface(np.pi / 2 * width * depth, disc.moved(stretch, (0, height, 0)).sample))]


def shelves(rng: Generator, size: Sequence[float], center: Sequence[float], *, part: str) -> list[Piece]:
    """Boards and uprights inside a carcass of edge lengths ``size`` about ``center``."""
    width, height, depth = size
    rows, columns = int(rng.integers(1, 6)), int(rng.integers(0, 3))
    thick = between(rng, 0.015, 0.04)
    pieces: list[Piece] = [
        (
            part,
            box((width, thick, depth), (center[0], center[1] + height * (row / (rows + 1) - 0.5), center[2])),
        )
        for row in range(1, rows + 1)
    ]
    pieces += [
        (
            part,
            box(
                (thick, height, depth),
                (center[0] + width * (column / (columns + 1) - 0.5), center[1], center[2]),
            ),
        )
        for column in range(1, columns + 1)
    ]
    return pieces


def carcass(rng: Generator, size: Sequence[float], center: Sequence[float], *, part: str) -> list[Piece]:
    """Two sides, top and bottom of an open case of edge lengths ``size`` about ``center``."""
    (width, height, depth), (x, y, z) = size, center
    thick = between(rng, 0.02, 0.06)
    return [
        *((part, box((thick, height, depth), (x + side * (width - thick) / 2, y, z))) for side in (-1, 1)),
        *((part, box((width, thick, depth), (x, y + side * (height - thick) / 2, z))) for side in (-1, 1)),
    ]


def drawers(rng: Generator, size: Sequence[float], center: Sequence[float], *, part: str) -> list[Piece]:
    """Fronts with handles on the +z face of a block of edge lengths ``size`` about ``center``."""
    (width, height, depth), (x, y, z) = size, center
    rows, columns = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    gap, front = between(rng, 0.01, 0.04), between(rng, 0.01, 0.04)
    gap = min(gap, 0.3 * width / columns, 0.3 * height / rows)  # some blocks are low
    pieces: list[Piece] = []
    for row in range(rows):
        for column in range(columns):
            middle = (
                x + width * ((column + 0.5) / columns - 0.5),
                y + height * ((row + 0.5) / rows - 0.5),
                z + depth / 2 + front / 2,
            )
            pieces.append((part, box((width / columns - gap, height / rows - gap, front), middle)))
            knob = (middle[0], middle[1], middle[2] + 0.03)
            pieces.append((part, box((width / columns * between(rng, 0.1, 0.5), 0.02, 0.03), knob)))
    return pieces
