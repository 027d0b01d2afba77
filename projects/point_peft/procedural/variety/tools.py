"""Recipes of tools, weapons and machine parts. Long ones lie along y."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from ..pieces import Piece, between, chance
from ..primitives import box, ellipsoid, prism, revolve, rotation_about, torus, tube
from .shaping import facing


def hammer(rng: Generator) -> list[Piece]:
    """Hammers, axes and pickaxes: a shaft and a head across it."""
    length, thick = between(rng, 0.6, 1.2), between(rng, 0.02, 0.045)
    pieces: list[Piece] = [('shaft', tube((0, 0, 0), (0, length, 0), thick * between(rng, 1, 1.4), thick))]
    style, size = rng.choice(['hammer', 'axe', 'pick']), between(rng, 0.12, 0.25)
    if style == 'hammer':
        pieces.append(('head', tube((-size, length, 0), (size, length, 0), thick * between(rng, 1.6, 3))))
        pieces.append(('head', box((size, thick * 3, thick * 3), (-size / 2, length, 0))))
    elif style == 'axe':
        edge = between(rng, 0.12, 0.3)
        blade = np.array([[0, 0.05], [0, -0.05], [size, -edge], [size * 1.2, 0], [size, edge]])
        for turn in (0, np.pi)[: 1 + chance(rng, 0.3)]:
            pieces.append(('head', prism(blade, 0.03).moved(rotation_about(1, turn), (0, length * 0.93, 0))))
    else:
        for side in (-1, 1):
            tip = (side * size * 2, length - between(rng, 0.02, 0.2), 0)
            pieces.append(('head', tube((0, length, 0), tip, thick * 1.3, 0.01)))
    return pieces


def blade(rng: Generator) -> list[Piece]:
    """Knives, swords and saws: grip, guard, blade."""
    grip, length, wide = between(rng, 0.18, 0.3), between(rng, 0.3, 1.2), between(rng, 0.04, 0.14)
    point, bow = between(rng, 0.6, 0.98), between(rng, 0.0, 0.1)
    outline = np.array(
        [
            [-wide / 2, 0],
            [wide / 2, 0],
            [wide / 2 + bow, length * 0.6],
            [wide * between(rng, -0.4, 0.4), length],
            [-wide / 2 + bow, length * point],
        ]
    )
    pieces: list[Piece] = [
        ('blade', prism(outline, 0.015).moved(np.eye(3), (0, grip, 0))),
        ('grip', tube((0, 0, 0), (0, grip, 0), between(rng, 0.02, 0.04), 0.025)),
    ]
    if chance(rng, 0.5):
        pieces.append(('guard', box((wide * between(rng, 1.5, 4), 0.03, 0.05), (0, grip, 0))))
    if chance(rng, 0.4):
        pieces.append(('grip', ellipsoid((0.04, 0.04, 0.04), (0, 0, 0))))
    return pieces


def pistol(rng: Generator) -> list[Piece]:
    """Pistols, rifles and drills: a barrel, a grip at an angle, perhaps a stock and a magazine."""
    length, high = between(rng, 0.4, 1.3), between(rng, 0.06, 0.14)
    lean = between(rng, 0.05, 0.5)
    pieces: list[Piece] = [('barrel', box((between(rng, 0.04, 0.08), high, length * 0.6), (0, 0, 0)))]
    pieces.append(('barrel', tube((0, high * 0.2, 0), (0, high * 0.2, length * 0.8), high * 0.25)))
    grip = box((0.05, between(rng, 0.2, 0.32), 0.1), (0, -0.12, 0))
    pieces.append(('grip', grip.moved(rotation_about(0, lean), (0, -high / 2, -length * 0.22))))
    ring = torus(0.05, 0.01).moved(rotation_about(1, np.pi / 2), (0, -high / 2 - 0.04, -length * 0.08))
    pieces.append(('grip', ring))
    if length > 0.7:
        stock = np.array([[0, 0], [0, high], [-0.45, high * 0.8], [-0.45, -0.15]])
        turned = prism(stock, 0.05).moved(rotation_about(1, -np.pi / 2), (0, -high / 2, -length * 0.3))
        pieces.append(('stock', turned))
        if chance(rng, 0.5):
            pieces.append(('magazine', box((0.05, 0.25, 0.09), (0, -high - 0.1, length * 0.1))))
    return pieces


def shovel(rng: Generator) -> list[Piece]:
    """Shovels, brooms, rakes and spoons: a long shaft with a flat end."""
    length, thick = between(rng, 0.7, 1.5), between(rng, 0.012, 0.03)
    pieces: list[Piece] = [('shaft', tube((0, 0, 0), (0, length, 0), thick))]
    style, wide = rng.choice(['pan', 'broom', 'rake', 'spoon']), between(rng, 0.15, 0.4)
    if style == 'pan':
        outline = np.array(
            [
                [-wide / 2, 0],
                [wide / 2, 0],
                [wide / 2, -0.25],
                [0, -between(rng, 0.25, 0.4)],
                [-wide / 2, -0.25],
            ]
        )
        pieces.append(('end', prism(outline, 0.03)))
    elif style == 'broom':
        pieces.append(('end', box((wide, between(rng, 0.1, 0.25), between(rng, 0.04, 0.1)), (0, -0.08, 0))))
    elif style == 'rake':
        pieces.append(('end', box((wide, 0.03, 0.03), (0, 0, 0))))
        for x in np.linspace(-wide / 2, wide / 2, int(rng.integers(3, 9))):
            pieces.append(('end', tube((x, 0, 0), (x, -0.12, 0.03), 0.01)))
    else:
        pieces.append(('end', ellipsoid((between(rng, 0.06, 0.14), 0.16, 0.02), (0, -0.12, 0))))
    return facing(pieces, rotation_about(2, float(rng.choice([0, np.pi, np.pi / 2]))))


def wrench(rng: Generator) -> list[Piece]:
    """Open-ended and ring spanners, pliers and scissors: one or two arms with jaws or eyes."""
    length, wide = between(rng, 0.6, 1.0), between(rng, 0.04, 0.1)
    pieces: list[Piece] = []
    if chance(rng, 0.5):
        pieces.append(('arm', box((wide, length, 0.04), (0, 0, 0))))
        for end in (-1, 1):
            if chance(rng, 0.5):
                pieces.append(
                    (
                        'jaw',
                        torus(wide * 1.1, wide * 0.35).moved(np.eye(3), (0, end * (length / 2 + wide), 0)),
                    )
                )
            else:
                start = (np.pi / 2 if end > 0 else -np.pi / 2) + 0.5
                claw = torus(wide * 1.2, wide * 0.4, arc=2 * np.pi - 1.2, start=start)
                pieces.append(('jaw', claw.moved(np.eye(3), (0, end * (length / 2 + wide), 0))))
        return pieces
    spread = between(rng, 0.1, 0.6)
    for side in (-1, 1):
        turn = rotation_about(2, side * spread / 2)
        pieces.append(
            ('jaw', box((wide * 0.8, length * 0.45, 0.03), (0, length * 0.22, 0)).moved(turn, (0, 0, 0)))
        )
        if chance(rng, 0.6):
            eye = torus(0.1, 0.02).moved(np.eye(3), (-side * 0.05, -length * 0.4, 0))
            pieces.append(('arm', eye.moved(turn, (0, 0, 0))))
        pieces.append(
            ('arm', box((wide * 0.6, length * 0.35, 0.03), (0, -length * 0.17, 0)).moved(turn, (0, 0, 0)))
        )
    return pieces


def gear(rng: Generator) -> list[Piece]:
    """Toothed wheels, pulleys and wheels with spokes."""
    teeth, radius, thick = int(rng.integers(8, 24)), between(rng, 0.4, 0.6), between(rng, 0.06, 0.3)
    deep = between(rng, 0.04, 0.12)
    angle = np.linspace(0, 2 * np.pi, 4 * teeth, endpoint=False)
    reach = radius + deep * (np.arange(4 * teeth) // 2 % 2)
    outline = np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1)
    pieces: list[Piece] = []
    if chance(rng, 0.6):
        pieces.append(('rim', prism(outline, thick)))
    else:
        ring = revolve(
            [
                (radius, -thick / 2),
                (radius * 1.2, -thick / 2),
                (radius * 1.2, thick / 2),
                (radius, thick / 2),
                (radius, -thick / 2),
            ]
        )
        pieces.append(('rim', ring.moved(rotation_about(0, np.pi / 2), (0, 0, 0))))
        for turn in np.arange(0, 2 * np.pi, 2 * np.pi / int(rng.integers(3, 9))):
            pieces.append(('spoke', tube((0, 0, 0), (radius * np.cos(turn), radius * np.sin(turn), 0), 0.04)))
    pieces.append(
        ('hub', tube((0, 0, -thick), (0, 0, thick * between(rng, 0.6, 2)), between(rng, 0.08, 0.2)))
    )
    lying = rotation_about(0, float(rng.choice([0, np.pi / 2])))
    return facing(pieces, lying)


def bolt(rng: Generator) -> list[Piece]:
    """Screws, bolts and nails: a head, polygonal or round, on a shank."""
    length, thick = between(rng, 0.4, 1.2), between(rng, 0.05, 0.16)
    corners = int(rng.choice([4, 6, 16]))
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    outline = thick * between(rng, 1.5, 2.4) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    head = prism(outline, between(rng, 0.06, 0.2)).moved(rotation_about(0, np.pi / 2), (0, length, 0))
    pieces: list[Piece] = [
        ('head', head),
        ('shank', tube((0, 0, 0), (0, length, 0), thick * between(rng, 0.3, 1), thick)),
    ]
    for level in np.linspace(0.1, 0.6, int(rng.integers(0, 8))):
        pieces.append(
            ('thread', torus(thick, thick * 0.12).moved(rotation_about(0, np.pi / 2), (0, length * level, 0)))
        )
    return facing(pieces, rotation_about(0, float(rng.choice([0, np.pi, np.pi / 2]))))


def pipe(rng: Generator) -> list[Piece]:
    """Elbows, tees and springs of round section."""
    thick, reach = between(rng, 0.08, 0.2), between(rng, 0.4, 0.8)
    style = rng.choice(['elbow', 'tee', 'spring'])
    pieces: list[Piece] = []
    if style == 'elbow':
        ring = between(rng, 0.25, 0.5)
        pieces.append(('bend', torus(ring, thick, arc=np.pi / 2).moved(np.eye(3), (-ring, 0, 0))))
        pieces.append(('arm', tube((0, 0, 0), (0, -reach, 0), thick)))
        pieces.append(('arm', tube((-ring, ring, 0), (-ring - reach * between(rng, 0.3, 1), ring, 0), thick)))
    elif style == 'tee':
        pieces.append(('arm', tube((-reach, 0, 0), (reach, 0, 0), thick)))
        pieces.append(
            ('arm', tube((0, 0, 0), (0, reach * between(rng, 0.5, 1.2), 0), thick * between(rng, 0.6, 1)))
        )
        pieces += [
            ('flange', tube((x * reach, 0, 0), (x * reach * 1.05, 0, 0), thick * 1.5)) for x in (-1, 1)
        ]
    else:
        turns, rise = int(rng.integers(3, 8)), between(rng, 0.1, 0.25)
        for turn in range(turns):
            pieces.append(
                (
                    'bend',
                    torus(reach / 2, thick * 0.3).moved(
                        rotation_about(0, np.pi / 2 - 0.1), (0, turn * rise, 0)
                    ),
                )
            )
    return pieces


def brick(rng: Generator) -> list[Piece]:
    """Building bricks with studs, plates and brackets."""
    columns, rows, high = int(rng.integers(1, 5)), int(rng.integers(1, 4)), float(rng.choice([0.4, 1.2, 2.4]))
    pieces: list[Piece] = [('body', box((columns, high, rows), (0, high / 2, 0)))]
    if chance(rng, 0.3):
        pieces.append(('body', box((columns, 0.3, rows), (0, high / 2 + 1.5, between(rng, 0, 1) * rows))))
    if chance(rng, 0.85):
        for column in range(columns):
            for row in range(rows):
                x, z = column - (columns - 1) / 2, row - (rows - 1) / 2
                pieces.append(('stud', tube((x, high, z), (x, high + 0.2, z), 0.3)))
    return pieces
