"""Recipes of what stands in a bathroom. Objects face +z and stand on y = 0."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from ..pieces import Piece, between, chance, drawers
from ..primitives import box, revolve, rotation_about, tube
from .shaping import bowl, stretched


def bathtub(rng: Generator) -> list[Piece]:
    """Bathtubs: an oval or square basin, free or in a panelled block, some on feet, with taps."""
    length, width, height = between(rng, 1.4, 2.0), between(rng, 0.65, 1.0), between(rng, 0.4, 0.75)
    deep, wall = height * between(rng, 0.65, 0.92), between(rng, 0.04, 0.12)
    pieces: list[Piece] = []
    if chance(rng, 0.55):
        basin = bowl(rng, depth=deep, rim=wall * 2, foot=between(rng, 0.5, 0.85))
        pieces.append(('basin', stretched(basin, (length, 1.0, width), (0, height - deep, 0))))
    else:
        pieces += [
            (
                'basin',
                box((length - 2 * wall, deep, 0.02), (0, height - deep / 2, side * (width / 2 - wall))),
            )
            for side in (-1, 1)
        ]
        pieces += [
            (
                'basin',
                box((0.02, deep, width - 2 * wall), (side * (length / 2 - wall), height - deep / 2, 0)),
            )
            for side in (-1, 1)
        ]
        pieces.append(('basin', box((length - 2 * wall, 0.02, width - 2 * wall), (0, height - deep, 0))))
    if chance(rng, 0.6):
        pieces += [
            ('panel', box((length, height, 0.02), (0, height / 2, side * width / 2))) for side in (-1, 1)
        ]
        pieces += [
            ('panel', box((0.02, height, width), (side * length / 2, height / 2, 0))) for side in (-1, 1)
        ]
        pieces += [
            ('panel', box((length, 0.02, wall * 2), (0, height, side * (width / 2 - wall))))
            for side in (-1, 1)
        ]
        pieces += [
            ('panel', box((wall * 2, 0.02, width), (side * (length / 2 - wall), height, 0)))
            for side in (-1, 1)
        ]
    if chance(rng, 0.5):
        x = length * between(rng, -0.5, 0.5)
        pieces.append(('tap', tube((x, height, -width / 2), (x, height + 0.15, -width / 2), 0.025)))
        pieces.append(('tap', tube((x, height + 0.15, -width / 2), (x, height + 0.12, -width / 4), 0.02)))
    return [(part, surface.moved(rotation_about(1, _quarter(rng)), (0, 0, 0))) for part, surface in pieces]


def toilet(rng: Generator) -> list[Piece]:
    """Water closets: bowl on a foot, cistern behind, seat and lid up or down."""
    width, depth, height = between(rng, 0.32, 0.45), between(rng, 0.42, 0.6), between(rng, 0.32, 0.48)
    pieces: list[Piece] = []
    foot = revolve([(0, 0), (0.5, 0), (between(rng, 0.35, 0.5), 0.45 * height), (0.8, 0.7 * height)])
    pieces.append(
        ('foot', stretched(foot, (width * 0.6, 1.0, depth * between(rng, 0.5, 0.8)), (0, 0, -0.05)))
    )
    basin = bowl(rng, depth=height * between(rng, 0.4, 0.6), rim=0.15, foot=0.4)
    pieces.append(('bowl', stretched(basin, (width, 1.0, depth), (0, height * 0.45, 0.05))))
    lid = revolve([(0, 0), (0.5, 0), (0.5, 0.04), (0, 0.04)])
    if chance(rng, 0.5):
        raised = stretched(lid, (width, 1.0, depth), (0, 0, 0)).moved(
            rotation_about(0, np.pi / 2 - between(rng, 0, 0.2)), (0, height + depth / 2, -depth / 2 + 0.08)
        )
        pieces.append(('lid', raised))
    else:
        pieces.append(('lid', stretched(lid, (width, 1.0, depth), (0, height, 0.05))))
    if chance(rng, 0.85):
        tank = (width * between(rng, 0.95, 1.4), between(rng, 0.28, 0.5), between(rng, 0.14, 0.22))
        low = height * between(rng, 0.8, 1.2)
        pieces.append(('cistern', box(tank, (0, low + tank[1] / 2, -depth / 2 - tank[2] / 3))))
        pieces.append(
            (
                'cistern',
                box(
                    (tank[0] * 1.06, 0.03, tank[2] * 1.1), (0, low + tank[1] + 0.01, -depth / 2 - tank[2] / 3)
                ),
            )
        )
        if low > height:
            pieces.append(
                (
                    'foot',
                    box((width * 0.5, low, tank[2] * between(rng, 0.6, 1)), (0, low / 2, -depth / 2 - 0.04)),
                )
            )
    return pieces


def washbasin(rng: Generator) -> list[Piece]:
    """Sinks: a basin on a column, on a cupboard or for a wall, with a tap."""
    width, depth, height = between(rng, 0.45, 0.9), between(rng, 0.35, 0.55), between(rng, 0.75, 0.95)
    deep = between(rng, 0.12, 0.25)
    pieces: list[Piece] = [
        (
            'basin',
            stretched(bowl(rng, depth=deep, rim=0.2, foot=0.5), (width, 1.0, depth), (0, height - deep, 0)),
        )
    ]
    style = rng.choice(['column', 'cupboard', 'wall'])
    if style == 'column':
        pieces.append(
            ('stand', tube((0, 0, -0.05), (0, height - deep, -0.05), between(rng, 0.08, 0.14), 0.09))
        )
    elif style == 'cupboard':
        size = (width * 1.05, height - 0.04, depth * 1.05)
        pieces.append(('stand', box(size, (0, size[1] / 2, 0))))
        pieces += [('stand', piece) for _, piece in drawers(rng, size, (0, size[1] / 2, 0), part='stand')]
    pieces.append(('tap', tube((0, height, -depth / 2 + 0.03), (0, height + 0.18, -depth / 2 + 0.03), 0.025)))
    pieces.append(('tap', tube((0, height + 0.18, -depth / 2 + 0.03), (0, height + 0.14, 0), 0.02)))
    return pieces


def _quarter(rng: Generator) -> float:
    """0 or 90 degrees, in radians."""
    return float(rng.choice([0.0, np.pi / 2]))
