"""Recipes of vehicles. They face +z and stand on y = 0."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from ..pieces import Piece, between, chance
from ..primitives import box, ellipsoid, prism, revolve, rotation_about, torus, tube
from .shaping import bent_tube, stretched


def car(rng: Generator) -> list[Piece]:
    """Cars, vans and buses: body, cabin, four wheels."""
    length, width, height = between(rng, 2.2, 4.5), between(rng, 1.0, 1.6), between(rng, 0.45, 0.8)
    radius = between(rng, 0.22, 0.4)
    pieces: list[Piece] = [('body', box((width, height, length), (0, radius + height / 2, 0)))]
    roof, cabin = between(rng, 0.35, 0.8), length * between(rng, 0.35, 0.95)
    low, high = cabin / 2, cabin / 2 * between(rng, 0.55, 1.0)
    outline = np.array([[-low, 0], [low, 0], [high, roof], [-high, roof]])
    place = (0, radius + height, -(length - cabin) / 2 * between(rng, -0.2, 1.0))
    pieces.append(('cabin', prism(outline, width * 0.9).moved(rotation_about(1, np.pi / 2), place)))
    pieces += _wheels(rng, width, length, radius)
    return pieces


def truck(rng: Generator) -> list[Piece]:
    """Lorries and pick-ups: cab in front, load area, tank or bed behind, wheels."""
    length, width = between(rng, 3.5, 6.5), between(rng, 1.4, 2.0)
    radius, cab = between(rng, 0.3, 0.5), length * between(rng, 0.2, 0.35)
    tall = between(rng, 1.2, 2.0)
    pieces: list[Piece] = [
        ('cab', box((width, tall, cab), (0, radius + tall / 2, (length - cab) / 2))),
        ('bed', box((width * 0.9, 0.2, length), (0, radius + 0.1, 0))),
    ]
    rear, style = length - cab * 1.1, rng.choice(['box', 'tank', 'open'])
    middle = -(length - rear) / 2
    if style == 'box':
        high = tall * between(rng, 0.9, 1.4)
        pieces.append(('load', box((width, high, rear), (0, radius + 0.2 + high / 2, middle))))
    elif style == 'tank':
        axis = (0, radius + 0.2 + width / 2)
        pieces.append(
            (
                'load',
                tube((*axis, middle - rear / 2), (*axis, middle + rear / 2), width * between(rng, 0.4, 0.5)),
            )
        )
    else:
        side = between(rng, 0.2, 0.6)
        pieces += [
            ('load', box((0.06, side, rear), (x * width / 2, radius + 0.2 + side / 2, middle)))
            for x in (-1, 1)
        ]
        pieces.append(('load', box((width, side, 0.06), (0, radius + 0.2 + side / 2, middle - rear / 2))))
    return pieces + _wheels(rng, width, length, radius, axles=int(rng.integers(2, 5)))


def bicycle(rng: Generator) -> list[Piece]:
    """Bicycles and motorbikes: two wheels in line, frame, saddle, handlebar."""
    radius, reach = between(rng, 0.28, 0.36), between(rng, 0.9, 1.2)
    heavy = chance(rng, 0.4)
    thick = between(rng, 0.06, 0.1) if heavy else between(rng, 0.012, 0.03)
    pieces: list[Piece] = []
    for z in (-reach / 2, reach / 2):
        wheel = torus(radius, thick).moved(rotation_about(1, np.pi / 2), (0, radius, z))
        pieces.append(('wheel', wheel))
        pieces.append(('wheel', tube((-0.05, radius, z), (0.05, radius, z), radius * 0.15)))
    saddle, bar = (0, radius * 2.3, -reach * 0.2), (0, radius * between(rng, 2.4, 3.0), reach * 0.33)
    pedals = (0, radius * 0.8, -reach * 0.05)
    pipe = thick * 0.9
    for line in (
        [saddle, pedals, (0, radius, -reach / 2)],
        [pedals, bar, (0, radius, reach / 2)],
        [saddle, bar],
    ):
        pieces += bent_tube(line, pipe, part='frame')
    if heavy:
        pieces.append(('frame', ellipsoid((0.14, 0.2, reach * 0.28), (0, radius * 1.5, 0))))
    pieces.append(('saddle', ellipsoid((0.08, 0.04, 0.14 + 0.15 * heavy), saddle)))
    pieces.append(('bar', tube((-0.28, bar[1], bar[2]), (0.28, bar[1], bar[2]), 0.02)))
    return pieces


def boat(rng: Generator) -> list[Piece]:
    """Rowing, sailing and motor boats: a hull that narrows to the bow, perhaps mast, sail, cabin."""
    length, width, deep = between(rng, 2.0, 4.0), between(rng, 0.7, 1.2), between(rng, 0.35, 0.7)
    levels = np.linspace(-1, 1, 9)
    outline = [(width / 2 * max(1 - abs(t) ** between(rng, 2, 4), 0.02), length / 2 * t) for t in levels]
    half = np.array(outline + [(-x, z) for x, z in outline[::-1]])
    flat = prism(half, deep).moved(rotation_about(0, np.pi / 2), (0, deep / 2, 0))
    pieces: list[Piece] = [('hull', flat)]
    if chance(rng, 0.5):
        mast = between(rng, 1.5, 3.5)
        pieces.append(('mast', tube((0, deep, 0.1), (0, deep + mast, 0.1), 0.03)))
        if chance(rng, 0.8):
            sail = np.array([[0, 0.2], [-length * 0.4, 0.2], [0, mast * 0.95]])
            pieces.append(('sail', prism(sail, 0.02).moved(rotation_about(1, -np.pi / 2), (0, deep, 0.1))))
    if chance(rng, 0.5):
        cabin = (width * 0.6, between(rng, 0.3, 0.6), length * between(rng, 0.2, 0.4))
        pieces.append(('cabin', box(cabin, (0, deep + cabin[1] / 2, -length * 0.15))))
    return pieces


def rocket(rng: Generator) -> list[Piece]:
    """Rockets and missiles: a body of revolution with a nose, fins and nozzle."""
    length, radius = between(rng, 1.0, 2.2), between(rng, 0.12, 0.35)
    nose = length * between(rng, 0.15, 0.4)
    curve = [(radius * np.cos(a), length - nose + nose * np.sin(a)) for a in np.linspace(0, np.pi / 2, 6)]
    belly = radius * between(rng, 0.8, 1.4)
    pieces: list[Piece] = [
        ('body', revolve([(0, 0), (radius * 0.8, 0), (belly, (length - nose) / 2), *curve]))
    ]
    pieces.append(('nozzle', revolve([(radius * 0.6, -0.12), (radius * 0.35, 0.0)])))
    span = radius * between(rng, 0.8, 2.0)
    fin = np.array(
        [[0, 0.05], [span, -0.1], [span, between(rng, 0.05, 0.3)], [0, length * between(rng, 0.25, 0.5)]]
    )
    count = int(rng.integers(3, 5))
    for number in range(count):
        turn = rotation_about(1, 2 * np.pi * number / count)
        pieces.append(('fin', prism(fin, 0.02).moved(turn, turn @ np.array([radius * 0.9, 0, 0]))))
    return pieces


def tank(rng: Generator) -> list[Piece]:
    """Tanks and excavators: tracks, hull, turret, gun."""
    length, width = between(rng, 2.5, 4.0), between(rng, 1.6, 2.2)
    track = between(rng, 0.4, 0.6)
    pieces: list[Piece] = []
    angle = np.linspace(-np.pi / 2, np.pi / 2, 6)
    right = np.stack([length / 2 - track / 2 + track / 2 * np.cos(angle), track / 2 * np.sin(angle)], axis=1)
    loop = np.concatenate([right, -right])
    for x in (-1, 1):
        belt = prism(loop, 0.35).moved(rotation_about(1, np.pi / 2), (x * (width / 2 - 0.15), track / 2, 0))
        pieces.append(('track', belt))
    pieces.append(('hull', box((width * 0.7, 0.45, length * 0.9), (0, track * 0.9, 0))))
    high = track * 0.9 + 0.22
    turret = revolve([(0.5, 0), (between(rng, 0.3, 0.48), 0.45), (0, 0.45)])
    pieces.append(('turret', stretched(turret, (1.2, 1.0, 1.4), (0, high, 0))))
    pieces.append(
        ('gun', tube((0, high + 0.25, 0.4), (0, high + between(rng, 0.2, 0.9), between(rng, 1.4, 2.6)), 0.08))
    )
    return pieces


def helicopter(rng: Generator) -> list[Piece]:
    """Helicopters: cabin, tail boom, main and tail rotor, skids."""
    size = between(rng, 0.35, 0.55)
    boom = between(rng, 1.0, 1.8)
    blades, reach = int(rng.integers(2, 6)), between(rng, 0.9, 1.5)
    pieces: list[Piece] = [
        ('cabin', ellipsoid((size * 0.8, size, size * between(rng, 1.1, 1.7)), (0, 0.3 + size, 0))),
        ('boom', tube((0, 0.4 + size, -size), (0, 0.6 + size, -size - boom), 0.16, 0.06)),
        ('rotor', tube((0, 0.3 + 2 * size, 0), (0, 0.55 + 2 * size, 0), 0.05)),
    ]
    for angle in between(rng, 0, np.pi) + np.arange(blades) * 2 * np.pi / blades:
        blade = box((reach, 0.02, 0.1), (reach / 2, 0.55 + 2 * size, 0))
        pieces.append(('rotor', blade.moved(rotation_about(1, angle), (0, 0, 0))))
    pieces.append(('fin', box((0.03, 0.5, 0.2), (0, 0.7 + size, -size - boom))))
    for x in (-1, 1):
        pieces.append(('skid', tube((x * size, 0.03, -size), (x * size, 0.03, size * 1.3), 0.035)))
        pieces.append(('skid', tube((x * size, 0.03, 0), (x * size * 0.4, 0.4, 0), 0.03)))
    return pieces


def skateboard(rng: Generator) -> list[Piece]:
    """Boards on four small wheels, some with a handlebar (scooter, cart)."""
    length, width = between(rng, 0.7, 1.0), between(rng, 0.18, 0.3)
    kick = between(rng, 0.0, 0.12)
    pieces: list[Piece] = [('board', box((width, 0.03, length * 0.7), (0, 0.1, 0)))]
    for z in (-1, 1):
        end = box((width * 0.95, 0.03, length * 0.18), (0, 0, 0))
        lift = rotation_about(0, -z * kick * 3)
        pieces.append(('board', end.moved(lift, (0, 0.1 + kick / 2, z * length * 0.42))))
        for x in (-1, 1):
            hub = (x * width * 0.4, 0.04, z * length * 0.27)
            pieces.append(('wheel', tube((hub[0] - 0.02, *hub[1:]), (hub[0] + 0.02, *hub[1:]), 0.04)))
    if chance(rng, 0.3):
        high = between(rng, 0.5, 0.9)
        pieces.append(('bar', tube((0, 0.1, length * 0.42), (0, high, length * 0.36), 0.02)))
        pieces.append(('bar', tube((-0.2, high, length * 0.36), (0.2, high, length * 0.36), 0.02)))
    return pieces


def _wheels(rng: Generator, width: float, length: float, radius: float, axles: int = 2) -> list[Piece]:
    """Pairs of wheels below a body."""
    places = np.linspace(-0.33, between(rng, 0.28, 0.38), axles) * length
    return [
        ('wheel', tube((x * width * 0.4, radius, z), (x * width * 0.52, radius, z), radius))
        for z in places
        for x in (-1, 1)
    ]
