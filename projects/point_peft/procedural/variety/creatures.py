"""Recipes of people, animals and plants. They face +z and stand on y = 0."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from ..pieces import Piece, between, chance
from ..primitives import box, ellipsoid, prism, revolve, rotation_about, tube
from .shaping import bent_tube, bowl, stretched


def person(rng: Generator) -> list[Piece]:
    """Standing, walking and sitting figures: head, trunk, two arms and legs of two segments."""
    leg, trunk, thick = between(rng, 0.35, 0.5), between(rng, 0.5, 0.7), between(rng, 0.05, 0.09)
    sitting = chance(rng, 0.15)
    hip = leg if sitting else 2 * leg
    shoulder = between(rng, 0.16, 0.26)
    pieces: list[Piece] = [
        ('trunk', ellipsoid((shoulder, trunk / 2, between(rng, 0.1, 0.18)), (0, hip + trunk / 2, 0))),
        ('head', ellipsoid((0.1, 0.13, 0.11), (0, hip + trunk + between(rng, 0.1, 0.16), 0))),
    ]
    for side in (-1, 1):
        swing = np.pi / 2 if sitting else between(rng, -0.5, 0.5)
        knee = np.array([side * 0.12, hip - leg * np.cos(swing), leg * np.sin(swing)])
        foot = knee - np.array([0, leg * 0.95, between(rng, -0.05, 0.15) * (not sitting)])
        pieces += bent_tube([(side * 0.1, hip, 0), knee, foot], thick, part='leg')
        pieces.append(('leg', box((0.08, 0.06, 0.22), foot + np.array([0, 0.03, 0.05]))))
        lift, ahead = between(rng, 0.0, 1.6) * chance(rng, 0.5), between(rng, -0.4, 0.6)
        top = np.array([side * shoulder, hip + trunk * 0.85, 0])
        elbow = top + 0.3 * np.array([side * np.sin(lift), -np.cos(lift), ahead])
        hand = elbow + 0.28 * np.array(
            [side * np.sin(lift) * 0.7, -np.cos(lift), ahead + between(rng, 0, 0.8)]
        )
        pieces += bent_tube([top, elbow, hand], thick * 0.75, part='arm')
    return pieces


def quadruped(rng: Generator) -> list[Piece]:
    """Dogs, horses, cows, sheep: trunk on four legs, neck, head, tail."""
    length, thick, leg = between(rng, 0.6, 1.2), between(rng, 0.12, 0.26), between(rng, 0.25, 0.8)
    pieces: list[Piece] = [('trunk', ellipsoid((thick, thick * 1.1, length / 2), (0, leg + thick, 0)))]
    rise = between(rng, 0.05, 0.6)
    neck = np.array([0, leg + thick * 1.3, length * 0.42])
    head = neck + np.array([0, rise, between(rng, 0.1, 0.35)])
    pieces.append(('neck', tube(neck, head, thick * 0.6, thick * 0.45)))
    snout = between(rng, 0.12, 0.25)
    pieces.append(
        ('head', ellipsoid((thick * 0.45, thick * 0.5, snout), head + np.array([0, 0, snout * 0.5])))
    )
    for side in (-1, 1):
        pieces.append(
            ('head', ellipsoid((0.02, between(rng, 0.05, 0.14), 0.03), head + [side * 0.07, 0.1, 0]))
        )
        for z in (-1, 1):
            foot = (side * thick * 0.6, 0, z * length * 0.36 + between(rng, -0.1, 0.1))
            pieces.append(
                (
                    'leg',
                    tube(
                        (side * thick * 0.6, leg + thick * 0.7, z * length * 0.36),
                        foot,
                        thick * 0.4,
                        thick * 0.2,
                    ),
                )
            )
    rear = np.array([0, leg + thick * 1.3, -length * 0.47])
    pieces.append(('tail', tube(rear, rear + np.array([0, between(rng, -0.4, 0.3), -0.25]), 0.03)))
    return pieces


def fish(rng: Generator) -> list[Piece]:
    """Fish, whales and sharks: a long body with tail and fins."""
    length, high, wide = between(rng, 0.8, 1.4), between(rng, 0.12, 0.35), between(rng, 0.08, 0.22)
    pieces: list[Piece] = [('body', ellipsoid((wide, high, length / 2), (0, 0, 0)))]
    spread = between(rng, 0.15, 0.4)
    tail = np.array([[0, 0], [0.15, spread], [0.25, spread], [0.15, 0], [0.25, -spread], [0.15, -spread]])
    flat = prism(tail, 0.02).moved(rotation_about(1, np.pi / 2), (0, 0, -length * 0.45))
    if chance(rng, 0.2):  # a whale's is level
        flat = flat.moved(rotation_about(2, np.pi / 2), (0, 0, 0))
    pieces.append(('tail', flat))
    fin = np.array([[0.15, 0], [-0.15, 0], [-0.1, between(rng, 0.1, 0.3)]])
    pieces.append(('fin', prism(fin, 0.02).moved(rotation_about(1, np.pi / 2), (0, high * 0.9, 0))))
    for side in (-1, 1):
        paddle = ellipsoid(
            (between(rng, 0.1, 0.2), 0.015, 0.08), (side * (wide + 0.08), -high * 0.3, length * 0.15)
        )
        pieces.append(('fin', paddle))
    return pieces


def bird(rng: Generator) -> list[Piece]:
    """Standing and flying birds: body, head with beak, wings, tail, legs."""
    size, flying = between(rng, 0.15, 0.3), chance(rng, 0.5)
    lift = between(rng, 0.15, 0.5)
    pieces: list[Piece] = [('body', ellipsoid((size * 0.8, size * 0.8, size * 1.5), (0, lift + size, 0)))]
    head = np.array([0, lift + size * between(rng, 1.6, 3.0), size * between(rng, 1.2, 1.8)])
    pieces.append(('head', ellipsoid((size * 0.45,) * 3, head)))
    pieces.append(('head', tube((0, lift + size, size), head, size * 0.35, size * 0.25)))
    pieces.append(
        ('head', tube(head, head + np.array([0, -0.02, size * between(rng, 0.7, 1.4)]), size * 0.2, 0.01))
    )
    span = size * (between(rng, 3, 6) if flying else 0.7)
    for side in (-1, 1):
        wing = np.array(
            [[0, size], [0, -size], [side * span, -size * between(rng, 0.2, 1.2)], [side * span * 0.7, size]]
        )
        drop = rotation_about(2, side * between(rng, -0.3, 0.4) if flying else -side * 1.2)
        place = (side * size * 0.6, lift + size * 1.3, 0)
        pieces.append(('wing', prism(wing, 0.025).moved(drop @ rotation_about(0, np.pi / 2), place)))
        if not flying or chance(rng, 0.5):
            pieces.append(
                ('leg', tube((side * size * 0.4, lift + size * 0.4, 0), (side * size * 0.4, 0, 0), 0.02))
            )
    pieces.append(('tail', box((size, 0.03, size * between(rng, 1, 2)), (0, lift + size * 1.1, -size * 2))))
    return pieces


def potted_plant(rng: Generator) -> list[Piece]:
    """House plants: a pot with a stem, leaves or a bush."""
    pot, wide = between(rng, 0.2, 0.5), between(rng, 0.25, 0.5)
    pieces: list[Piece] = [
        (
            'pot',
            stretched(
                bowl(rng, depth=pot, rim=0.15, foot=between(rng, 0.55, 1.0)), (wide, 1.0, wide), (0, 0, 0)
            ),
        )
    ]
    high = between(rng, 0.3, 1.2)
    leaves = int(rng.integers(6, 20))
    pieces.append(('stem', tube((0, pot * 0.5, 0), (0, pot + high * 0.6, 0), between(rng, 0.01, 0.04))))
    for _ in range(leaves):
        angle, lift = between(rng, 0, 2 * np.pi), between(rng, 0.1, 1.4)
        size = between(rng, 0.1, 0.35)
        turn = rotation_about(1, angle) @ rotation_about(2, lift)
        leaf = ellipsoid((size, 0.01, size * between(rng, 0.15, 0.5)), (size, 0, 0))
        pieces.append(('leaf', leaf.moved(turn, (0, pot + high * between(rng, 0.1, 0.6), 0))))
    return pieces


def tree(rng: Generator) -> list[Piece]:
    """Broad-leaved trees, firs and palms: trunk and crown."""
    trunk, thick = between(rng, 0.4, 1.4), between(rng, 0.05, 0.14)
    pieces: list[Piece] = [
        ('trunk', tube((0, 0, 0), (between(rng, -0.1, 0.1), trunk, 0), thick, thick * 0.6))
    ]
    style = rng.choice(['round', 'fir', 'palm'])
    if style == 'round':
        for _ in range(int(rng.integers(1, 5))):
            radii = rng.uniform(0.25, 0.55, size=3)
            pieces.append(
                ('crown', ellipsoid(radii, (*rng.uniform(-0.3, 0.3, size=1), trunk + radii[1] * 0.7, 0)))
            )
    elif style == 'fir':
        layers, wide = int(rng.integers(1, 5)), between(rng, 0.35, 0.7)
        for layer in range(layers):
            low = trunk * 0.5 + layer * 0.4
            pieces.append(('crown', revolve([(0, low), (wide * (1 - 0.2 * layer), low), (0, low + 0.7)])))
    else:
        for angle in np.arange(0, 2 * np.pi, 2 * np.pi / int(rng.integers(5, 10))):
            turn = rotation_about(1, angle) @ rotation_about(2, between(rng, -0.6, 0.3))
            pieces.append(('crown', ellipsoid((0.4, 0.015, 0.09), (0.4, 0, 0)).moved(turn, (0, trunk, 0))))
    return pieces


def mushroom(rng: Generator) -> list[Piece]:
    """Mushrooms and toadstools: stem and cap."""
    high, thick, wide = between(rng, 0.3, 0.9), between(rng, 0.06, 0.2), between(rng, 0.25, 0.6)
    dome = between(rng, 0.12, 0.5)
    curve = [(wide * np.cos(a), high + dome * np.sin(a)) for a in np.linspace(0, np.pi / 2, 7)]
    return [
        (
            'stem',
            revolve([(0, 0), (thick * between(rng, 0.9, 1.5), 0), (thick, high * 0.5), (thick * 0.9, high)]),
        ),
        ('cap', revolve([(thick, high), *curve])),
    ]
