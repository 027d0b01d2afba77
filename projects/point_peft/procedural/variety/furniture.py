"""Recipes of furniture and fittings that the built-in classes lack. Objects face +z and stand on y = 0."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from ..pieces import Piece, between, carcass, chance, drawers, flat_top, four_legs, pedestal, shelves
from ..primitives import box, ellipsoid, revolve, rotation_about, tube
from .shaping import bowl, stretched


def night_stand(rng: Generator) -> list[Piece]:
    """Bedside tables: small and about as high as wide, with one to three drawers, or a shelf on legs."""
    width, height, depth = between(rng, 0.4, 0.62), between(rng, 0.42, 0.75), between(rng, 0.33, 0.55)
    top = height - 0.03
    pieces: list[Piece] = [
        ('top', box((width * between(rng, 1.0, 1.12), 0.03, depth * 1.05), (0, height, 0)))
    ]
    if chance(rng, 0.45):
        closed = top * between(rng, 0.25, 0.6)
        pieces += [
            ('leg', piece) for _, piece in four_legs(rng, width, depth, top - closed * between(rng, 0, 1))
        ]
        size, middle = (width, closed, depth), (0, top - closed / 2, 0)
        pieces.append(('body', box(size, middle)))
        pieces += drawers(rng, size, middle, part='drawer')
        if chance(rng, 0.5):
            pieces.append(('body', box((width, 0.03, depth), (0, top * between(rng, 0.1, 0.3), 0))))
        return pieces
    floor = max(between(rng, -0.1, 0.12), 0.0)
    size, middle = (width, top - floor, depth), (0, (top + floor) / 2, 0)
    if chance(rng, 0.3):
        pieces += carcass(rng, size, middle, part='body') + shelves(rng, size, middle, part='body')
    else:
        pieces.append(('body', box(size, middle)))
        pieces += drawers(rng, size, middle, part='drawer')
    if floor > 0.03:
        pieces += four_legs(rng, width, depth, floor)
    return pieces


def dresser(rng: Generator) -> list[Piece]:
    """Chests of drawers: wide ones, some with a mirror, and tall ones."""
    width, height, depth = between(rng, 0.8, 1.8), between(rng, 0.6, 1.25), between(rng, 0.38, 0.58)
    if chance(rng, 0.35):
        width, height = between(rng, 0.45, 1.0), between(rng, 0.9, 1.6)
    floor = max(between(rng, -0.1, 0.18), 0.0)
    size, middle = (width, height - floor, depth), (0, (height + floor) / 2, 0)
    pieces: list[Piece] = [('body', box(size, middle))]
    for _ in range(int(rng.integers(1, 3))):
        pieces += drawers(rng, size, middle, part='drawer')
    if chance(rng, 0.5):
        pieces.append(('top', box((width * 1.05, 0.04, depth * 1.06), (0, height, 0))))
    if chance(rng, 0.2):
        glass = (width * between(rng, 0.4, 0.9), between(rng, 0.4, 0.8), 0.04)
        pieces.append(('mirror', box(glass, (0, height + glass[1] / 2, -depth / 2))))
    if floor > 0.03:
        pieces += four_legs(rng, width, depth, floor)
    return pieces


def wardrobe(rng: Generator) -> list[Piece]:
    """Tall closed cupboards with doors, plain or with handles and a cornice."""
    width, height, depth = between(rng, 0.6, 1.7), between(rng, 1.5, 2.2), between(rng, 0.4, 0.65)
    pieces: list[Piece] = [('body', box((width, height, depth), (0, height / 2, 0)))]
    doors = int(rng.integers(1, 4))
    for door in range(doors):
        x = width * ((door + 0.5) / doors - 0.5)
        pieces.append(
            ('door', box((width / doors - 0.03, 0.92 * height, 0.03), (x, height / 2, depth / 2 + 0.015)))
        )
        pieces.append(
            (
                'handle',
                box(
                    (0.02, between(rng, 0.08, 0.4), 0.03),
                    (x + 0.4 * width / doors, height / 2, depth / 2 + 0.05),
                ),
            )
        )
    if chance(rng, 0.3):
        pieces.append(('body', box((width * 1.08, 0.06, depth * 1.1), (0, height, 0))))
    return pieces


def appliance(rng: Generator) -> list[Piece]:
    """Refrigerators, stoves, washing machines, microwave ovens: a block with a door, plates, knobs."""
    width, depth = between(rng, 0.5, 0.8), between(rng, 0.5, 0.7)
    style = rng.choice(['fridge', 'stove', 'washer', 'oven'])
    height = {
        'fridge': between(rng, 1.2, 2.0),
        'stove': 0.9,
        'washer': 0.88,
        'oven': between(rng, 0.25, 0.4),
    }[style]
    pieces: list[Piece] = [('body', box((width, height, depth), (0, height / 2, 0)))]
    if style == 'fridge':
        split = height * between(rng, 0.3, 0.7)
        for low, high in ((0, split), (split, height)):
            pieces.append(
                (
                    'door',
                    box((width * 0.97, high - low - 0.02, 0.05), (0, (low + high) / 2, depth / 2 + 0.02)),
                )
            )
            pieces.append(
                (
                    'knob',
                    box((0.03, 0.4 * (high - low), 0.04), (0.4 * width, (low + high) / 2, depth / 2 + 0.07)),
                )
            )
    elif style == 'washer':
        ring = revolve([(0.14, 0), (0.2, 0), (0.18, 0.05), (0.1, 0.02), (0, -0.02)])
        pieces.append(('door', ring.moved(rotation_about(0, np.pi / 2), (0, height * 0.5, depth / 2))))
    else:
        pieces.append(
            (
                'door',
                box((width * 0.75, height * 0.55, 0.04), (-0.05 * width, height * 0.45, depth / 2 + 0.02)),
            )
        )
        pieces.append(('knob', box((width * 0.7, 0.03, 0.04), (0, height * 0.75, depth / 2 + 0.06))))
    if style == 'stove':
        for x in (-0.25, 0.25):
            for z in (-0.22, 0.22):
                disc = revolve([(0, 0.03), (between(rng, 0.08, 0.12), 0.03), (0.12, 0)])
                pieces.append(('plate', disc.moved(np.eye(3), (x * width, height, z * depth))))
    if style in ('stove', 'washer'):
        pieces += [
            (
                'knob',
                tube(
                    (x * width, height * 0.9, depth / 2), (x * width, height * 0.9, depth / 2 + 0.04), 0.025
                ),
            )
            for x in (-0.35, -0.15, 0.15, 0.35)
        ]
    return pieces


def armchair(rng: Generator) -> list[Piece]:
    """Lounge and swivel chairs with rounded, upholstered shells."""
    width, height = between(rng, 0.55, 0.85), between(rng, 0.3, 0.45)
    shell = bowl(rng, depth=between(rng, 0.3, 0.6), rim=0.06, foot=between(rng, 0.5, 0.9))
    tilt = rotation_about(0, -between(rng, 0.2, 0.7))
    pieces: list[Piece] = [
        ('shell', stretched(shell, (width, 1.0, width), (0, 0, 0)).moved(tilt, (0, height, 0)))
    ]
    pieces.append(
        ('cushion', ellipsoid((width * 0.35, 0.08, width * 0.35), (0, height + 0.12, width * 0.05)))
    )
    pieces += (
        pedestal(rng, width / 2, height)
        if chance(rng, 0.6)
        else four_legs(rng, width * 0.8, width * 0.8, height)
    )
    return pieces


def counter(rng: Generator) -> list[Piece]:
    """Kitchen islands and bars: a block below a wide top, some with a step for stools."""
    width, height, depth = between(rng, 1.2, 2.2), between(rng, 0.85, 1.1), between(rng, 0.5, 0.9)
    pieces: list[Piece] = [('body', box((width, height, depth), (0, height / 2, 0)))]
    pieces += [('top', piece) for _, piece in flat_top(rng, width * 1.1, depth * 1.3, height, part='top')]
    pieces += drawers(rng, (width, height, depth), (0, height / 2, 0), part='door')
    return pieces
