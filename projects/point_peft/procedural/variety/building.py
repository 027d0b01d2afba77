"""Recipes of buildings and what belongs to them. They face +z and stand on y = 0."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from ..pieces import Piece, between, chance
from ..primitives import box, prism, revolve, rotation_about, tube


def door(rng: Generator) -> list[Piece]:
    """Doors: a leaf, shut or ajar, in a frame, with a handle and panels."""
    width, high = between(rng, 0.7, 1.6), between(rng, 1.8, 2.2)
    turn = rotation_about(1, between(rng, 0, 1.2) * chance(rng, 0.4))
    leaf = box((width, high, 0.05), (width / 2, high / 2, 0)).moved(turn, (-width / 2, 0, 0))
    knob = tube((width * 0.9, high / 2, -0.1), (width * 0.9, high / 2, 0.1), 0.03)
    pieces: list[Piece] = [('leaf', leaf), ('handle', knob.moved(turn, (-width / 2, 0, 0)))]
    pieces += [('frame', box((0.1, high + 0.1, 0.14), (x * width / 2, high / 2, 0))) for x in (-1, 1)]
    pieces.append(('frame', box((width + 0.1, 0.1, 0.14), (0, high + 0.05, 0))))
    return pieces


def window(rng: Generator) -> list[Piece]:
    """Windows: a frame with bars, perhaps shutters, a sill or open wings."""
    width, high, thick = between(rng, 0.6, 1.8), between(rng, 0.7, 1.6), between(rng, 0.05, 0.12)
    pieces: list[Piece] = [('frame', box((width, thick, thick), (0, y * high, 0))) for y in (0, 1)]
    pieces += [('frame', box((thick, high, thick), (x * width / 2, high / 2, 0))) for x in (-1, 1)]
    for column in range(1, int(rng.integers(1, 4))):
        pieces.append(
            ('bar', box((thick * 0.6, high, thick * 0.6), (width * (column / 3 - 0.5) * 1.2, high / 2, 0)))
        )
    for row in range(1, int(rng.integers(1, 4))):
        pieces.append(('bar', box((width, thick * 0.6, thick * 0.6), (0, high * row / 3.2, 0))))
    if chance(rng, 0.4):
        pieces.append(('sill', box((width * 1.15, 0.05, 0.25), (0, 0, 0.1))))
    if chance(rng, 0.5):
        pieces.append(('pane', box((width, high, 0.01), (0, high / 2, 0))))
    if chance(rng, 0.3):
        pieces += [
            ('shutter', box((width / 2, high, 0.04), (x * width * 0.75, high / 2, 0))) for x in (-1, 1)
        ]
    return pieces


def stairs(rng: Generator) -> list[Piece]:
    """Stairs and ladders."""
    steps, width, rise = int(rng.integers(4, 12)), between(rng, 0.4, 1.2), between(rng, 0.15, 0.25)
    if chance(rng, 0.4):  # a ladder, leaning
        lean = rotation_about(0, between(rng, 0, 0.5))
        tall = steps * rise * 1.4
        rails = [('rail', tube((x * width / 3, 0, 0), (x * width / 3, tall, 0), 0.03)) for x in (-1, 1)]
        rungs = [
            ('step', tube((-width / 3, y, 0), (width / 3, y, 0), 0.025))
            for y in np.linspace(0.1, 0.95, steps) * tall
        ]
        return [(part, surface.moved(lean, (0, 0, 0))) for part, surface in rails + rungs]
    run, solid = between(rng, 0.2, 0.32), chance(rng, 0.5)
    pieces: list[Piece] = []
    for step in range(steps):
        high = (step + 1) * rise if solid else 0.06
        pieces.append(('step', box((width, high, run), (0, (step + 1) * rise - high / 2, -step * run))))
    if chance(rng, 0.4):
        for x in (-1, 1):
            start, end = (
                (x * width / 2, rise + 0.8, 0),
                (x * width / 2, steps * rise + 0.8, -(steps - 1) * run),
            )
            pieces.append(('rail', tube(start, end, 0.03)))
            pieces.append(('rail', tube((x * width / 2, rise, 0), start, 0.03)))
    return pieces


def fence(rng: Generator) -> list[Piece]:
    """Fences, railings and gates: posts or pickets between rails."""
    width, high, count = between(rng, 1.0, 2.5), between(rng, 0.5, 1.2), int(rng.integers(3, 14))
    pieces: list[Piece] = [
        ('rail', box((width, 0.06, 0.04), (0, high * y, 0))) for y in rng.uniform(0.15, 0.9, size=2)
    ]
    round_posts = chance(rng, 0.4)
    for x in width * (np.linspace(0, 1, count) - 0.5):
        if round_posts:
            pieces.append(('post', tube((x, 0, 0), (x, high, 0), 0.03)))
        else:
            pieces.append(('post', box((width / count * 0.5, high, 0.03), (x, high / 2, 0.03))))
    return pieces


def house(rng: Generator) -> list[Piece]:
    """Houses, sheds and tents: walls below a pitched roof, with a door and a chimney."""
    width, wall, depth = between(rng, 1.0, 2.0), between(rng, 0.3, 1.2), between(rng, 1.0, 2.2)
    pitch, eaves = between(rng, 0.3, 1.0), between(rng, 1.0, 1.2)
    gable = np.array([[-width / 2 * eaves, 0], [width / 2 * eaves, 0], [0, pitch]])
    pieces: list[Piece] = [
        ('wall', box((width, wall, depth), (0, wall / 2, 0))),
        ('roof', prism(gable, depth * eaves).moved(np.eye(3), (0, wall, 0))),
    ]
    if chance(rng, 0.6):
        pieces.append(
            ('door', box((0.3, wall * 0.7, 0.06), (between(rng, -0.3, 0.3) * width, wall * 0.35, depth / 2)))
        )
    if chance(rng, 0.5):
        pieces.append(('chimney', box((0.15, pitch, 0.15), (width * 0.25, wall + pitch * 0.6, 0))))
    return pieces


def tower(rng: Generator) -> list[Piece]:
    """Towers, columns and lighthouses: square or round, with battlements or a pointed roof."""
    wide, high = between(rng, 0.25, 0.6), between(rng, 1.0, 2.5)
    top = wide * between(rng, 0.6, 1.1)
    square = chance(rng, 0.4)
    shaft = (
        box((2 * wide, high, 2 * wide), (0, high / 2, 0))
        if square
        else revolve([(0, 0), (wide, 0), (top, high), (0, high)])
    )
    pieces: list[Piece] = [('shaft', shaft), ('base', box((2.4 * wide, 0.15, 2.4 * wide), (0, 0.07, 0)))]
    if chance(rng, 0.5):
        pieces.append(('roof', revolve([(top * 1.3, high), (0, high + between(rng, 0.3, 1.0))])))
    else:
        for angle in np.arange(0, 2 * np.pi, np.pi / 4):
            pieces.append(
                ('roof', box((0.15, 0.2, 0.15), (wide * np.cos(angle), high + 0.1, wide * np.sin(angle))))
            )
    return pieces


def arch(rng: Generator) -> list[Piece]:
    """Arches, bridges and fireplaces: two pillars with a lintel or a bow."""
    span, high, deep, thick = (
        between(rng, 0.6, 1.6),
        between(rng, 0.5, 1.4),
        between(rng, 0.2, 0.8),
        between(rng, 0.1, 0.35),
    )
    pieces: list[Piece] = [
        ('pillar', box((thick, high, deep), (x * (span + thick) / 2, high / 2, 0))) for x in (-1, 1)
    ]
    if chance(rng, 0.5):
        pieces.append(('lintel', box((span + 2.2 * thick, thick, deep * 1.1), (0, high + thick / 2, 0))))
    else:
        angle = np.linspace(0, np.pi, 7)
        for first, second in zip(angle, angle[1:]):
            middle, ring = (first + second) / 2, (span + thick) / 2
            stone = box((thick, ring * np.pi / 6, deep), (0, 0, 0)).moved(
                rotation_about(2, middle), (ring * np.cos(middle), high + ring * np.sin(middle), 0)
            )
            pieces.append(('lintel', stone))
    if chance(rng, 0.3):
        pieces.append(('back', box((span + 2 * thick, high, 0.05), (0, high / 2, -deep / 2))))
    return pieces
