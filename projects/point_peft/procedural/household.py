"""Recipes of bottle, mug, lamp, umbrella, guitar and airplane. Objects stand on y = 0 or lie about it."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .pieces import Piece, between, chance
from .primitives import Surface, ellipsoid, prism, revolve, rotation_about, torus, tube


def bottle(rng: Generator) -> list[Piece]:
    """Bottles, jars and flasks: a body that narrows to a neck, perhaps with a cap."""
    height, radius = between(rng, 0.5, 1.1), between(rng, 0.14, 0.36)
    shoulder, neck = height * between(rng, 0.35, 0.75), radius * between(rng, 0.25, 0.85)
    waist = radius * between(rng, 0.75, 1.15)
    rounding = np.linspace(0, np.pi / 2, 6)
    curve = [
        (neck + (radius - neck) * np.cos(a), shoulder + (height * 0.85 - shoulder) * 0.6 * np.sin(a))
        for a in rounding
    ]
    pieces: list[Piece] = [
        ('body', revolve([(0, 0), (radius * 0.9, 0), (radius, 0.04), (waist, shoulder / 2), *curve])),
        ('neck', revolve([curve[-1], (neck, height)])),
    ]
    if chance(rng, 0.5):
        wide = neck * between(rng, 1.0, 1.3)
        top = height + between(rng, 0.03, 0.12)
        pieces.append(('cap', revolve([(0, height), (wide, height), (wide, top), (0, top)])))
    if chance(rng, 0.15):
        pieces.append(('body', _handle(rng, radius, shoulder)))
    return pieces


def mug(rng: Generator) -> list[Piece]:
    """Mugs, cups, tumblers and pots: an open vessel, mostly with one handle, some with two or a saucer."""
    height = between(rng, 0.35, 0.9)
    foot, rim, wall = between(rng, 0.16, 0.4), between(rng, 0.2, 0.45), between(rng, 0.01, 0.04)
    bulge = (foot + rim) / 2 * between(rng, 0.85, 1.25)
    outside = [(0, 0), (foot, 0), (bulge, height / 2), (rim, height)]
    inside = [(rim - wall, height), (bulge - wall, height / 2), (foot - wall, 2 * wall), (0, 2 * wall)]
    pieces: list[Piece] = [('body', revolve(outside + inside))]
    for _ in range(int(rng.choice([0, 1, 2], p=[0.2, 0.7, 0.1]))):
        opposite = rotation_about(1, np.pi * len(pieces))
        pieces.append(('handle', _handle(rng, max(bulge, rim), height).moved(opposite, (0, 0, 0))))
    if chance(rng, 0.15):
        wide = foot * between(rng, 1.5, 2.0)
        pieces.append(('saucer', revolve([(0, -0.02), (wide * 0.6, -0.02), (wide, 0.05), (wide * 0.6, 0.0)])))
    return pieces


def lamp(rng: Generator) -> list[Piece]:
    """Table, floor, hanging and desk lamps: base, pole and shade."""
    height, shade = between(rng, 0.5, 1.6), between(rng, 0.12, 0.38)
    tall = shade * between(rng, 0.6, 1.6)
    foot = between(rng, 0.1, 0.3)
    pole = between(rng, 0.012, 0.05)
    bent = chance(rng, 0.25)
    tip = np.array([between(rng, 0.2, 0.5), height, 0.0]) if bent else np.array([0.0, height, 0.0])
    knee = np.array([-0.1 * bent, height * between(rng, 0.5, 0.9), 0.0])
    pieces: list[Piece] = [('pole', tube((0, 0, 0), knee, pole)), ('pole', tube(knee, tip, pole))]
    if chance(rng, 0.4):
        body = height * between(rng, 0.2, 0.6)
        curve = [(foot * between(rng, 0.4, 1.1), body * level) for level in (0.25, 0.5, 0.75)]
        pieces.append(('base', revolve([(0, 0), (foot, 0), *curve, (pole, body)])))
    else:
        pieces.append(('base', revolve([(0, 0), (foot, 0), (foot, 0.03), (0, between(rng, 0.03, 0.1))])))
    if chance(rng, 0.2):
        pieces.append(('shade', ellipsoid((shade, shade, shade), tip)))
    else:
        narrow = shade * between(rng, 0.3, 1.0)
        cone = revolve([(shade, -tall / 2), (narrow, tall / 2)])
        lean = rotation_about(2, between(rng, -0.7, 0.7) if bent else 0.0)
        pieces.append(('shade', cone.moved(lean, tip)))
    return pieces


def umbrella(rng: Generator) -> list[Piece]:
    """Open, half open and folded umbrellas, and parasols: canopy, shaft and a straight or hooked handle."""
    height, shaft = between(rng, 0.8, 1.5), between(rng, 0.012, 0.03)
    spread = between(rng, 0.05, 0.9)
    radius, drop = 0.75 * np.sin(spread * np.pi / 2) + 0.04, 0.7 * np.cos(spread * np.pi / 2) + 0.12
    bow = between(rng, 1.0, 1.8)  # 1 is a cone; more is rounder
    levels = np.linspace(0, 1, 7)
    canopy = revolve([(radius * level, height - drop * level**bow) for level in levels])
    pieces: list[Piece] = [('canopy', canopy), ('shaft', tube((0, 0, 0), (0, height + 0.06, 0), shaft))]
    if chance(rng, 0.5):
        hook = between(rng, 0.05, 0.1)
        pieces.append(
            ('handle', torus(hook, 1.5 * shaft, arc=np.pi, start=np.pi).moved(np.eye(3), (hook, 0, 0)))
        )
    elif chance(rng, 0.5):
        pieces.append(('handle', tube((0, -0.02, 0), (0, 0.15, 0), 2 * shaft)))
    else:
        foot = between(rng, 0.1, 0.25)
        pieces.append(('handle', revolve([(0, 0), (foot, 0), (foot, 0.05), (0, 0.08)])))
    return pieces


def guitar(rng: Generator) -> list[Piece]:
    """Acoustic and electric guitars, violins and banjos, upright: body, neck and head."""
    length, width, thick = between(rng, 0.4, 0.65), between(rng, 0.25, 0.48), between(rng, 0.03, 0.16)
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    waist, skew = between(rng, 0.0, 0.35), between(rng, -0.2, 0.05)
    bulge = 1 - waist * np.exp(-((np.sin(angle) / 0.35) ** 2))
    outline = np.stack(
        [width / 2 * np.cos(angle) * bulge * (1 + skew * np.sin(angle)), length / 2 * (1 + np.sin(angle))],
        axis=1,
    )
    neck, slim = between(rng, 0.35, 0.8), between(rng, 0.025, 0.05)
    top = length + neck
    head = np.array([[-slim, 0], [slim, 0], [1.6 * slim, 0.12], [-1.6 * slim, 0.12]])
    pieces: list[Piece] = [
        ('body', prism(outline, thick)),
        ('neck', tube((0, 0.7 * length, thick / 2), (0, top, thick / 2), slim)),
        ('head', prism(head, 0.03).moved(rotation_about(0, -between(rng, 0, 0.3)), (0, top, thick / 2))),
    ]
    return _laid(pieces, rng)


def airplane(rng: Generator) -> list[Piece]:
    """Airliners, propeller planes and jets: fuselage, wings, tail, perhaps engines; nose along +z."""
    length, radius = between(rng, 1.2, 2.0), between(rng, 0.06, 0.16)
    pieces: list[Piece] = [('fuselage', ellipsoid((radius, radius, length / 2), (0, 0, 0)))]
    if chance(rng, 0.6):
        pieces.append(('fuselage', tube((0, 0, -length * 0.35), (0, 0, length * 0.35), radius * 0.9, radius)))
    span, chord = between(rng, 0.5, 1.1), between(rng, 0.15, 0.45)
    sweep, place = between(rng, -0.05, 0.6), between(rng, -0.15, 0.3) * length
    height = radius * between(rng, -0.7, 0.9)
    pieces += _wings(span, chord, chord * between(rng, 0.2, 0.9), sweep, (0, height, place), part='wing')
    if chance(rng, 0.12):
        pieces += _wings(span, chord, chord * 0.9, sweep, (0, height + 0.25, place), part='wing')
    tail = span * between(rng, 0.25, 0.5)
    rear = (0, radius * between(rng, 0, 3.0), -0.45 * length)
    pieces += _wings(tail, 0.18, 0.1, sweep / 3, rear, part='tail')
    fin = np.array([[0, 0], [0.22, 0], [0.05, between(rng, 0.18, 0.4)], [-0.08, 0.3]])
    upright = rotation_about(1, -np.pi / 2)
    pieces.append(('tail', prism(fin, 0.02).moved(upright, (0, radius / 2, -0.45 * length))))
    for number in range(int(rng.integers(0, 3))):
        x = span * (0.3 + 0.3 * number)
        pieces += [
            (
                'engine',
                tube(
                    (side * x, height - 0.06, place - 0.12),
                    (side * x, height - 0.06, place + 0.14),
                    between(rng, 0.03, 0.06),
                ),
            )
            for side in (-1, 1)
        ]
    return pieces


def _wings(
    span: float, root: float, tip: float, sweep: float, center: tuple[float, float, float], *, part: str
) -> list[Piece]:
    """A pair of swept, tapered plates in the horizontal plane; ``root`` and ``tip`` are chords."""
    pieces: list[Piece] = []
    for side in (-1, 1):
        outline = np.array(
            [[0, root / 2], [0, -root / 2], [side * span, -sweep - tip / 2], [side * span, -sweep + tip / 2]]
        )
        pieces.append((part, prism(outline, 0.025).moved(rotation_about(0, np.pi / 2), center)))
    return pieces


def _handle(rng: Generator, radius: float, height: float) -> Surface:
    """A half ring on the +x side of a vessel."""
    size, thick = height * between(rng, 0.18, 0.35), between(rng, 0.015, 0.045)
    ring = torus(size, thick, arc=np.pi, start=-np.pi / 2)
    return ring.moved(np.eye(3), (radius * 0.95, height * between(rng, 0.4, 0.6), 0))


def _laid(pieces: list[Piece], rng: Generator) -> list[Piece]:
    """The pieces upright, on their side or on their back, leaning a little."""
    turn = rotation_about(2, rng.choice([0.0, 0.0, np.pi / 2]) + between(rng, -0.2, 0.2))
    return [(part, surface.moved(turn, (0, 0, 0))) for part, surface in pieces]
