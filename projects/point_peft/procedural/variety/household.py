"""Recipes of kitchen ware and things one carries or wears. They face +z and stand on y = 0."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from ..pieces import Piece, between, chance
from ..primitives import box, ellipsoid, revolve, rotation_about, torus, tube
from .shaping import bent_tube, bowl, stretched


def dish(rng: Generator) -> list[Piece]:
    """Bowls, plates, trays and pans, with or without handles."""
    wide, deep = between(rng, 0.6, 1.0), between(rng, 0.05, 0.5)
    oval = between(rng, 0.6, 1.0) if chance(rng, 0.3) else 1.0
    vessel = bowl(rng, depth=deep, rim=between(rng, 0.03, 0.25), foot=between(rng, 0.3, 0.95))
    pieces: list[Piece] = [('vessel', stretched(vessel, (wide, 1.0, wide * oval), (0, 0, 0)))]
    for side in (-1, 1)[: int(rng.choice([0, 0, 1, 2]))]:
        reach = between(rng, 0.08, 0.6)
        start = (side * wide / 2, deep * 0.8, 0)
        pieces.append(('handle', tube(start, (side * (wide / 2 + reach), deep * 0.9, 0), 0.03)))
    return pieces


def goblet(rng: Generator) -> list[Piece]:
    """Wine glasses, goblets and candlesticks: foot, stem, cup."""
    stem, cup, wide = between(rng, 0.2, 0.6), between(rng, 0.2, 0.5), between(rng, 0.12, 0.28)
    levels = np.linspace(0, np.pi / 2, 6)
    rim = wide * between(rng, 0.6, 1.2)
    curve = [(wide * np.sin(a) + 0.02, stem + cup * 0.6 * (1 - np.cos(a))) for a in levels]
    return [
        ('foot', revolve([(0, 0), (wide * between(rng, 0.7, 1.1), 0), (0.02, 0.05)])),
        ('stem', revolve([(0.02, 0.05), (between(rng, 0.015, 0.06), stem / 2), (0.02, stem)])),
        (
            'cup',
            revolve(
                [
                    *curve,
                    (rim, stem + cup),
                    (rim * 0.93, stem + cup),
                    (wide * 0.9, stem + cup * 0.5),
                    (0, stem + 0.05),
                ]
            ),
        ),
    ]


def vase(rng: Generator) -> list[Piece]:
    """Vases, urns and jars of any profile."""
    high, knots = between(rng, 0.6, 1.2), int(rng.integers(3, 7))
    radii = rng.uniform(0.08, 0.4, size=knots)
    levels = np.linspace(0, high, 16)
    smooth = np.interp(levels, np.linspace(0, high, knots), radii)
    smooth = np.convolve(np.pad(smooth, 1, mode='edge'), [0.25, 0.5, 0.25], mode='valid')
    profile = list(zip(smooth, levels))
    pieces: list[Piece] = [('body', revolve([(0, 0), *profile]))]
    pieces.append(('rim', torus(float(smooth[-1]), 0.02).moved(rotation_about(0, np.pi / 2), (0, high, 0))))
    for side in (-1, 1)[: int(rng.choice([0, 0, 1, 2]))]:
        ring = torus(high * 0.15, 0.025).moved(
            np.eye(3), (side * (float(smooth[10]) + high * 0.1), levels[10], 0)
        )
        pieces.append(('handle', ring))
    return pieces


def teapot(rng: Generator) -> list[Piece]:
    """Teapots, kettles and watering cans: belly, spout, handle, lid."""
    wide, high = between(rng, 0.3, 0.45), between(rng, 0.22, 0.5)
    pieces: list[Piece] = [('body', ellipsoid((wide, high, wide), (0, high, 0)))]
    tip = (wide * between(rng, 1.5, 2.2), high * between(rng, 1.3, 2.0), 0)
    pieces.append(('spout', tube((wide * 0.7, high * 0.7, 0), tip, between(rng, 0.06, 0.1), 0.04)))
    if chance(rng, 0.6):
        pieces.append(
            (
                'handle',
                torus(high * 0.7, 0.03, arc=np.pi, start=np.pi / 2).moved(np.eye(3), (-wide * 0.85, high, 0)),
            )
        )
    else:
        pieces.append(('handle', torus(wide * 0.8, 0.03, arc=np.pi).moved(np.eye(3), (0, high * 1.6, 0))))
    pieces.append(('lid', ellipsoid((wide * 0.35, 0.06, wide * 0.35), (0, high * 2, 0))))
    pieces.append(('lid', ellipsoid((0.05, 0.06, 0.05), (0, high * 2 + 0.08, 0))))
    return pieces


def can(rng: Generator) -> list[Piece]:
    """Tins, buckets, bins and barrels."""
    wide, high = between(rng, 0.2, 0.45), between(rng, 0.25, 1.0)
    top = wide * between(rng, 0.75, 1.3)
    bulge = (wide + top) / 2 * between(rng, 0.95, 1.2)
    closed = chance(rng, 0.5)
    profile = [(0, 0), (wide, 0), (bulge, high / 2), (top, high)]
    pieces: list[Piece] = [
        (
            'body',
            revolve(
                [*profile, (0, high)]
                if closed
                else [*profile, (top * 0.93, high), (wide * 0.93, 0.03), (0, 0.03)]
            ),
        )
    ]
    for level in rng.uniform(0.05, 0.95, size=int(rng.integers(0, 4))):
        ring = float(np.interp(level, [0, 0.5, 1], [wide, bulge, top]))
        pieces.append(('hoop', torus(ring, 0.02).moved(rotation_about(0, np.pi / 2), (0, high * level, 0))))
    if not closed and chance(rng, 0.5):
        pieces.append(('bail', torus(top, 0.015, arc=np.pi).moved(np.eye(3), (0, high, 0))))
    return pieces


def basket(rng: Generator) -> list[Piece]:
    """Open and shut boxes, crates and baskets."""
    width, high, depth = between(rng, 0.5, 1.2), between(rng, 0.25, 0.8), between(rng, 0.4, 0.9)
    slats = int(rng.integers(1, 5))
    pieces: list[Piece] = [('bottom', box((width, 0.02, depth), (0, 0.01, 0)))]
    for level in range(slats):
        tall = high / slats * (between(rng, 0.6, 0.9) if slats > 1 else 1.0)
        y = high * (level + 0.5) / slats
        pieces += [('side', box((width, tall, 0.02), (0, y, z * depth / 2))) for z in (-1, 1)]
        pieces += [('side', box((0.02, tall, depth), (x * width / 2, y, 0))) for x in (-1, 1)]
    if chance(rng, 0.4):
        lean = rotation_about(0, -between(rng, 0, 2.0))
        pieces.append(
            ('lid', box((width, 0.03, depth), (0, 0, depth / 2)).moved(lean, (0, high, -depth / 2)))
        )
    return pieces


def bag(rng: Generator) -> list[Piece]:
    """Handbags, suitcases and rucksacks: a soft or hard body with a handle or straps."""
    width, high, depth = between(rng, 0.5, 1.0), between(rng, 0.4, 0.9), between(rng, 0.12, 0.35)
    pieces: list[Piece] = []
    if chance(rng, 0.5):
        pieces.append(('body', box((width, high, depth), (0, high / 2, 0))))
    else:
        pieces.append(('body', ellipsoid((width / 2, high / 2, depth / 2), (0, high / 2, 0))))
    for z in ((0,), (-1, 1))[int(chance(rng, 0.5))]:
        size = width * between(rng, 0.15, 0.35)
        pieces.append(
            ('handle', torus(size, 0.02, arc=np.pi).moved(np.eye(3), (0, high * 0.95, z * depth * 0.4)))
        )
    if chance(rng, 0.4):
        pieces.append(('pocket', box((width * 0.6, high * 0.4, 0.08), (0, high * 0.3, depth / 2))))
    if chance(rng, 0.3):
        pieces += [
            ('wheel', tube((x * width * 0.4 - 0.03, 0, 0), (x * width * 0.4 + 0.03, 0, 0), 0.06))
            for x in (-1, 1)
        ]
    return pieces


def hat(rng: Generator) -> list[Piece]:
    """Caps, hats and helmets: a dome with a peak or a brim."""
    wide, high = between(rng, 0.3, 0.4), between(rng, 0.2, 0.5)
    square = between(rng, 0.5, 1.0)
    curve = [(wide * np.cos(a) ** square, high * np.sin(a) ** square) for a in np.linspace(0, np.pi / 2, 7)]
    pieces: list[Piece] = [('dome', revolve(curve))]
    if chance(rng, 0.6):
        peak = revolve([(0, 0), (0.5, 0), (0.5, 0.02), (0, 0.02)])
        pieces.append(('brim', stretched(peak, (wide * 1.5, 1.0, wide * 1.6), (0, 0, wide * 0.8))))
    else:
        pieces.append(
            ('brim', revolve([(wide, 0.0), (wide * between(rng, 1.2, 1.9), between(rng, -0.05, 0.08))]))
        )
    return pieces


def earphone(rng: Generator) -> list[Piece]:
    """Headphones and spectacles: two rounds joined by a bow, perhaps with a wire."""
    ring, cup = between(rng, 0.3, 0.45), between(rng, 0.12, 0.2)
    pieces: list[Piece] = [
        ('bow', torus(ring, between(rng, 0.015, 0.05), arc=np.pi * between(rng, 0.95, 1.1)))
    ]
    for side in (-1, 1):
        x = side * ring
        pieces.append(
            ('cup', tube((x - 0.05, -0.05, 0), (x + 0.05, -0.05, 0), cup, cup * between(rng, 0.8, 1)))
        )
    if chance(rng, 0.4):
        pieces += bent_tube([(ring, -cup, 0), (ring * 0.7, -0.7, 0.1), (0.1, -1.0, 0)], 0.012, part='wire')
    return pieces


def clock(rng: Generator) -> list[Piece]:
    """Clocks, mirrors and pictures: a flat round or square face in a frame, for a wall or on feet."""
    size, thick = between(rng, 0.35, 0.5), between(rng, 0.03, 0.2)
    pieces: list[Piece] = []
    if chance(rng, 0.6):
        face = tube((0, 0, -thick / 2), (0, 0, thick / 2), size)
        pieces += [('face', face), ('frame', torus(size, between(rng, 0.02, 0.06)))]
    else:
        high = size * between(rng, 0.6, 1.5)
        pieces.append(('face', box((2 * size, 2 * high, thick / 2), (0, 0, 0))))
        pieces += [('frame', box((2 * size, 0.07, thick), (0, y * high, 0))) for y in (-1, 1)]
        pieces += [('frame', box((0.07, 2 * high, thick), (x * size, 0, 0))) for x in (-1, 1)]
    for angle in rng.uniform(0, 2 * np.pi, size=int(rng.integers(0, 3))):
        tip = (0.7 * size * np.cos(angle), 0.7 * size * np.sin(angle), thick)
        pieces.append(('hand', tube((0, 0, thick), tip, 0.015)))
    return pieces


def keyboard(rng: Generator) -> list[Piece]:
    """Keyboards, telephones and remote controls: a flat block with rows of keys."""
    width, depth, thick = between(rng, 0.3, 1.2), between(rng, 0.3, 0.6), between(rng, 0.03, 0.12)
    rows, columns = int(rng.integers(2, 6)), int(rng.integers(3, 14))
    pieces: list[Piece] = [('base', box((width, thick, depth), (0, thick / 2, 0)))]
    for row in range(rows):
        for column in range(columns):
            x, z = width * 0.94 * ((column + 0.5) / columns - 0.5), depth * 0.9 * ((row + 0.5) / rows - 0.5)
            key = (0.75 * width / columns, 0.03, 0.75 * depth / rows)
            pieces.append(('key', box(key, (x, thick + 0.01, z))))
    return pieces
