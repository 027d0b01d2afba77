"""Recipes of chair, stool, bench, sofa and bed. Objects face +z and stand on y = 0."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .pieces import Piece, between, chance, flat_top, four_legs, pedestal
from .primitives import box, rotation_about, tube


def chair(rng: Generator) -> list[Piece]:
    """Kitchen, office and arm chairs: a seat about as wide as deep, with a back."""
    width, depth, height = between(rng, 0.35, 0.7), between(rng, 0.35, 0.65), between(rng, 0.3, 0.6)
    pieces = flat_top(rng, width, depth, height, part='seat')
    pieces += pedestal(rng, width / 2, height) if chance(rng, 0.25) else four_legs(rng, width, depth, height)
    pieces += backrest(rng, width, depth, height, between(rng, 0.2, 0.75))
    if chance(rng, 0.35):
        pieces += armrests(rng, width, depth, height)
    return pieces


def stool(rng: Generator) -> list[Piece]:
    """A small seat on legs or a column; some have a low back rail."""
    width, height = between(rng, 0.25, 0.5), between(rng, 0.3, 0.85)
    depth = width * between(rng, 0.8, 1.2)
    pieces = flat_top(rng, width, depth, height, part='seat')
    pieces += pedestal(rng, width / 2, height) if chance(rng, 0.4) else four_legs(rng, width, depth, height)
    if chance(rng, 0.2):
        pieces += backrest(rng, width, depth, height, between(rng, 0.08, 0.2))
    return pieces


def bench(rng: Generator) -> list[Piece]:
    """A seat for several people, with or without a back."""
    width, depth, height = between(rng, 0.75, 1.7), between(rng, 0.25, 0.5), between(rng, 0.28, 0.55)
    pieces: list[Piece] = []
    if chance(rng, 0.4):
        slats = int(rng.integers(2, 6))
        pieces += [
            ('seat', box((width, 0.04, 0.8 * depth / slats), (0, height, depth * ((i + 0.5) / slats - 0.5))))
            for i in range(slats)
        ]
    else:
        pieces += [('seat', box((width, between(rng, 0.03, 0.12), depth), (0, height, 0)))]
    pieces += four_legs(rng, width, depth, height)
    if chance(rng, 0.5):
        pieces += backrest(rng, width, depth, height, between(rng, 0.2, 0.5))
        if chance(rng, 0.4):
            pieces += armrests(rng, width, depth, height)
    return pieces


def sofa(rng: Generator) -> list[Piece]:
    """Armchairs to long sofas: upholstered seat, back and, mostly, arms; some have an L-shaped wing."""
    width, depth, height = between(rng, 0.65, 2.0), between(rng, 0.55, 0.9), between(rng, 0.2, 0.45)
    thick, back = between(rng, 0.08, 0.25), between(rng, 0.2, 0.55)
    floor = between(rng, 0.0, 0.12)
    pieces: list[Piece] = [
        ('seat', box((width, height - floor, depth), (0, (height + floor) / 2, 0))),
        ('back', box((width, back + height, thick), (0, (back + height) / 2 + floor / 2, -depth / 2))),
    ]
    cushions = int(rng.integers(0, 4))
    pieces += [
        (
            'seat',
            box(
                (0.95 * width / cushions, 0.12, 0.8 * depth),
                (width * ((i + 0.5) / cushions - 0.5), height + 0.06, 0.05),
            ),
        )
        for i in range(cushions)
    ]
    if chance(rng, 0.8):
        top = height + between(rng, 0.05, back)
        pieces += [('arm', box((thick, top, depth), (side * width / 2, top / 2, 0))) for side in (-1, 1)]
    if chance(rng, 0.2):
        pieces.append(
            (
                'seat',
                box(
                    (0.35 * width, height, depth),
                    (rng.choice([-1, 1]) * 0.33 * width, height / 2, 0.8 * depth),
                ),
            )
        )
    if floor > 0.03:
        pieces += four_legs(rng, width, depth, floor)
    return pieces


def bed(rng: Generator) -> list[Piece]:
    """Single, double and bunk beds: mattress, headboard, frame, pillows."""
    width, length, height = between(rng, 0.7, 1.8), between(rng, 1.5, 2.2), between(rng, 0.15, 0.5)
    mattress, board = between(rng, 0.08, 0.3), between(rng, 0.0, 0.8)
    levels = [0.0, between(rng, 0.7, 1.1)] if chance(rng, 0.12) else [0.0]
    pieces: list[Piece] = []
    for level in levels:
        pieces.append(('mattress', box((width, mattress, length), (0, level + height + mattress / 2, 0))))
        pieces.append(('frame', box((1.04 * width, 0.08, 1.04 * length), (0, level + height, 0))))
        pillows = 2 if width > 1.2 else 1
        pieces += [
            (
                'pillow',
                box(
                    (0.7 * width / pillows, 0.1, 0.35),
                    (width * ((i + 0.5) / pillows - 0.5), level + height + mattress + 0.05, -0.38 * length),
                ),
            )
            for i in range(pillows)
            if chance(rng, 0.7)
        ]
    if board > 0.1:
        pieces.append(
            ('frame', box((1.04 * width, board + height, 0.06), (0, (board + height) / 2, -length / 2)))
        )
    if chance(rng, 0.35):
        foot = height + board * between(rng, 0.2, 0.8)
        pieces.append(('frame', box((1.04 * width, foot, 0.06), (0, foot / 2, length / 2))))
    pieces += [('frame', piece) for _, piece in four_legs(rng, width, length, height + levels[-1])]
    return turned(pieces, rng)


def backrest(rng: Generator, width: float, depth: float, height: float, rise: float) -> list[Piece]:
    """A back of height ``rise`` on a seat's rear edge: a panel, slats, spindles or rails, tilted a little."""
    style = rng.choice(['panel', 'slats', 'spindles', 'rails'])
    thick = between(rng, 0.02, 0.07)
    if style == 'panel':
        low = rise * between(rng, 0.0, 0.4)
        upright = [box((width, rise - low, thick), (0, (rise + low) / 2, 0))]
    elif style == 'rails':
        upright = [box((thick, rise, thick), (side * width / 2, rise / 2, 0)) for side in (-1, 1)]
        upright += [box((width, 0.15 * rise, thick / 2), (0, rise * level, 0)) for level in (0.5, 0.95)]
    else:
        count = int(rng.integers(3, 8))
        places = width * ((np.arange(count) + 0.5) / count - 0.5)
        upright = [box((width, 0.12 * rise, thick), (0, 0.95 * rise, 0))]
        upright += [
            box((0.5 * width / count, rise, thick / 2), (x, rise / 2, 0))
            if style == 'slats'
            else tube((x, 0, 0), (x, rise, 0), thick / 3)
            for x in places
        ]
    tilt = rotation_about(0, -between(rng, 0.0, 0.3))
    return [('back', piece.moved(tilt, (0, height, -depth / 2 + thick / 2))) for piece in upright]


def armrests(rng: Generator, width: float, depth: float, height: float) -> list[Piece]:
    """Two arm boards on posts beside a seat."""
    rise, thick = between(rng, 0.12, 0.3), between(rng, 0.02, 0.06)
    pieces: list[Piece] = []
    for side in (-1, 1):
        x = side * width / 2
        pieces.append(('arm', box((thick, thick, depth), (x, height + rise, 0))))
        pieces.append(('arm', box((thick, rise, thick), (x, height + rise / 2, depth / 2 - thick))))
    return pieces


def turned(pieces: list[Piece], rng: Generator) -> list[Piece]:
    """The pieces turned by a random multiple of 90 degrees about the up axis, as beds stand in data sets."""
    turn = rotation_about(1, np.pi / 2 * int(rng.integers(0, 4)))
    return [(part, surface.moved(turn, (0, 0, 0))) for part, surface in pieces]
