"""Recipes of table, desk, bookshelf, cabinet and monitor. Objects face +z and stand on y = 0."""

from __future__ import annotations

from numpy.random import Generator

from .pieces import Piece, between, carcass, chance, drawers, flat_top, four_legs, pedestal, shelves
from .primitives import box, rotation_about, tube


def table(rng: Generator) -> list[Piece]:
    """Dining, coffee and side tables, on four legs or a column; some have a board below."""
    width, height = between(rng, 0.5, 1.7), between(rng, 0.3, 0.85)
    depth = width * between(rng, 0.4, 1.0)
    pieces = flat_top(rng, width, depth, height, part='top')
    on_column = chance(rng, 0.25)
    pieces += pedestal(rng, depth / 2, height) if on_column else four_legs(rng, width, depth, height)
    if not on_column and chance(rng, 0.25):
        low = height * between(rng, 0.15, 0.5)
        pieces.append(('shelf', box((0.85 * width, 0.03, 0.85 * depth), (0, low, 0))))
    return pieces


def desk(rng: Generator) -> list[Piece]:
    """A table with drawers or a modesty panel below, and perhaps a rack on top."""
    width, height = between(rng, 0.8, 1.7), between(rng, 0.55, 0.8)
    depth = width * between(rng, 0.35, 0.65)
    pieces: list[Piece] = [('top', box((width, 0.04, depth), (0, height, 0)))]
    pieces += four_legs(rng, width, depth, height)
    sides = rng.choice([-1, 1], size=int(rng.integers(0, 3)), replace=False)
    for side in sides:
        size = (width * between(rng, 0.2, 0.35), height * between(rng, 0.25, 0.95), 0.9 * depth)
        middle = (side * (width - size[0]) / 2, height - size[1] / 2, 0)
        pieces.append(('drawer', box(size, middle)))
        pieces += drawers(rng, size, middle, part='drawer')
    if chance(rng, 0.5) or len(sides) == 0:
        fall = height * between(rng, 0.3, 0.9)
        pieces.append(('drawer', box((0.95 * width, fall, 0.03), (0, height - fall / 2, -0.45 * depth))))
    if chance(rng, 0.35):
        rack = (width * between(rng, 0.5, 1.0), between(rng, 0.15, 0.5), 0.3 * depth)
        place = (0, height + rack[1] / 2, -0.35 * depth)
        pieces += carcass(rng, rack, place, part='rack') + shelves(rng, rack, place, part='rack')
    return pieces


def bookshelf(rng: Generator) -> list[Piece]:
    """Open shelves, with or without a back board, some with a closed base or with books."""
    width, height, depth = between(rng, 0.4, 1.4), between(rng, 0.6, 2.0), between(rng, 0.2, 0.45)
    size, middle = (width, height, depth), (0, height / 2, 0)
    pieces = carcass(rng, size, middle, part='frame') + shelves(rng, size, middle, part='shelf')
    if chance(rng, 0.5):
        pieces.append(('back', box((width, height, 0.02), (0, height / 2, -depth / 2))))
    if chance(rng, 0.3):
        base = height * between(rng, 0.15, 0.4)
        pieces.append(('frame', box((width, base, depth), (0, base / 2, 0))))
    for _ in range(int(rng.integers(0, 4))):
        block = (width * between(rng, 0.1, 0.4), height * between(rng, 0.08, 0.18), 0.7 * depth)
        pieces.append(
            ('shelf', box(block, (between(rng, -0.3, 0.3) * width, between(rng, 0.1, 0.9) * height, 0)))
        )
    return pieces


def cabinet(rng: Generator) -> list[Piece]:
    """Dressers, wardrobes and sideboards: a closed body with doors or drawers, some open in part."""
    width, height, depth = between(rng, 0.4, 1.6), between(rng, 0.4, 1.9), between(rng, 0.3, 0.6)
    legs = between(rng, -0.1, 0.2)
    floor = max(legs, 0.0)
    size, middle = (width, height, depth), (0, floor + height / 2, 0)
    pieces: list[Piece] = []
    if chance(rng, 0.3):
        closed = height * between(rng, 0.3, 0.7)
        pieces.append(('body', box((width, closed, depth), (0, floor + closed / 2, 0))))
        pieces += drawers(rng, (width, closed, depth), (0, floor + closed / 2, 0), part='door')
        pieces += carcass(rng, size, middle, part='body')
        upper = (width, height - closed, depth)
        pieces += shelves(rng, upper, (0, floor + closed + upper[1] / 2, 0), part='body')
    else:
        pieces.append(('body', box(size, middle)))
        pieces += drawers(rng, size, middle, part='door')
    if floor > 0.03:
        pieces += four_legs(rng, width, depth, floor)
    return pieces


def monitor(rng: Generator) -> list[Piece]:
    """Screens, laptops and tube sets: a panel, with a stand, a keyboard or a deep back."""
    width = between(rng, 0.6, 1.4)
    height, thick = width * between(rng, 0.45, 0.85), between(rng, 0.02, 0.12)
    style = rng.choice(['stand', 'laptop', 'tube', 'feet'], p=[0.45, 0.2, 0.2, 0.15])
    lift = between(rng, 0.1, 0.4) if style == 'stand' else 0.04
    lean = rotation_about(0, -between(rng, 0.0, 0.5 if style == 'laptop' else 0.15))
    pieces: list[Piece] = [
        ('screen', box((width, height, thick), (0, height / 2, 0)).moved(lean, (0, lift, 0)))
    ]
    if style == 'laptop':
        depth = height * between(rng, 0.8, 1.1)
        pieces.append(('stand', box((width, 0.03, depth), (0, 0.02, depth / 2))))
    elif style == 'tube':
        deep = width * between(rng, 0.3, 0.7)
        pieces.append(('back', box((0.75 * width, 0.75 * height, deep), (0, lift + height / 2, -deep / 2))))
        pieces.append(('stand', box((0.6 * width, 0.04, 0.6 * deep), (0, 0.02, -deep / 3))))
    elif style == 'feet':
        pieces += [('stand', box((0.05, 0.06, 0.3), (side * width / 3, 0.03, 0))) for side in (-1, 1)]
    else:
        base = (width * between(rng, 0.25, 0.6), 0.03, between(rng, 0.15, 0.35))
        pieces.append(('stand', box(base, (0, 0.015, 0))))
        pieces.append(
            ('stand', tube((0, 0, -0.03), (0, lift + height / 3, -thick), between(rng, 0.02, 0.06)))
        )
    return pieces
