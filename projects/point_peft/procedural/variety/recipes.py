"""All classes of objects that pre-training draws from: the built-in ones and many more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from ..pieces import Piece
from ..shapes import RECIPES as BUILT_IN
from ..shapes import sample_pieces
from . import bathroom, building, creatures, furniture, household, tools, vehicles

RECIPES: dict[str, tuple[Callable[[Generator], list[Piece]], tuple[str, ...]]] = {
    **BUILT_IN,
    'night_stand': (furniture.night_stand, ('body', 'drawer', 'leg', 'top')),
    'dresser': (furniture.dresser, ('body', 'drawer', 'leg', 'mirror', 'top')),
    'wardrobe': (furniture.wardrobe, ('body', 'door', 'handle')),
    'bathtub': (bathroom.bathtub, ('basin', 'panel', 'tap')),
    'toilet': (bathroom.toilet, ('bowl', 'cistern', 'foot', 'lid')),
    'washbasin': (bathroom.washbasin, ('basin', 'stand', 'tap')),
    'appliance': (furniture.appliance, ('body', 'door', 'knob', 'plate')),
    'armchair': (furniture.armchair, ('cushion', 'leg', 'shell')),
    'counter': (furniture.counter, ('body', 'door', 'top')),
    'door': (building.door, ('frame', 'handle', 'leaf')),
    'window': (building.window, ('bar', 'frame', 'pane', 'shutter', 'sill')),
    'stairs': (building.stairs, ('rail', 'step')),
    'fence': (building.fence, ('post', 'rail')),
    'house': (building.house, ('chimney', 'door', 'roof', 'wall')),
    'tower': (building.tower, ('base', 'roof', 'shaft')),
    'arch': (building.arch, ('back', 'lintel', 'pillar')),
    'car': (vehicles.car, ('body', 'cabin', 'wheel')),
    'truck': (vehicles.truck, ('bed', 'cab', 'load', 'wheel')),
    'bicycle': (vehicles.bicycle, ('bar', 'frame', 'saddle', 'wheel')),
    'boat': (vehicles.boat, ('cabin', 'hull', 'mast', 'sail')),
    'rocket': (vehicles.rocket, ('body', 'fin', 'nozzle')),
    'tank': (vehicles.tank, ('gun', 'hull', 'track', 'turret')),
    'helicopter': (vehicles.helicopter, ('boom', 'cabin', 'fin', 'rotor', 'skid')),
    'skateboard': (vehicles.skateboard, ('bar', 'board', 'wheel')),
    'person': (creatures.person, ('arm', 'head', 'leg', 'trunk')),
    'quadruped': (creatures.quadruped, ('head', 'leg', 'neck', 'tail', 'trunk')),
    'fish': (creatures.fish, ('body', 'fin', 'tail')),
    'bird': (creatures.bird, ('body', 'head', 'leg', 'tail', 'wing')),
    'potted_plant': (creatures.potted_plant, ('leaf', 'pot', 'stem')),
    'tree': (creatures.tree, ('crown', 'trunk')),
    'mushroom': (creatures.mushroom, ('cap', 'stem')),
    'hammer': (tools.hammer, ('head', 'shaft')),
    'blade': (tools.blade, ('blade', 'grip', 'guard')),
    'pistol': (tools.pistol, ('barrel', 'grip', 'magazine', 'stock')),
    'shovel': (tools.shovel, ('end', 'shaft')),
    'wrench': (tools.wrench, ('arm', 'jaw')),
    'gear': (tools.gear, ('hub', 'rim', 'spoke')),
    'bolt': (tools.bolt, ('head', 'shank', 'thread')),
    'pipe': (tools.pipe, ('arm', 'bend', 'flange')),
    'brick': (tools.brick, ('body', 'stud')),
    'dish': (household.dish, ('handle', 'vessel')),
    'goblet': (household.goblet, ('cup', 'foot', 'stem')),
    'vase': (household.vase, ('body', 'handle', 'rim')),
    'teapot': (household.teapot, ('body', 'handle', 'lid', 'spout')),
    'can': (household.can, ('bail', 'body', 'hoop')),
    'basket': (household.basket, ('bottom', 'lid', 'side')),
    'bag': (household.bag, ('body', 'handle', 'pocket', 'wheel')),
    'hat': (household.hat, ('brim', 'dome')),
    'earphone': (household.earphone, ('bow', 'cup', 'wire')),
    'clock': (household.clock, ('face', 'frame', 'hand')),
    'keyboard': (household.keyboard, ('base', 'key')),
}
"""Recipe and part names of every class, in label order; the built-in classes come first and keep their labels."""

CLASSES = tuple(RECIPES)
"""Class names in label order."""

PARTS = tuple(f'{name}/{part}' for name, (_, parts) in RECIPES.items() for part in parts)
"""Part names in the order of their global ids; those of the built-in classes come first and keep theirs."""

PART_IDS = {name: number for number, name in enumerate(PARTS)}
"""Global id of every part."""

STRETCH = 0.25
"""Largest log scale of an axis: less than the built-in dataset's, as proportions tell a dresser from a night stand."""


def sample_variety(label: int, rng: Generator, num_points: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw one object of a class and points on it.

    Args:
        label (int): index into :data:`CLASSES`.
        rng (Generator): decides the object and the points.
        num_points (int): number of points N, spread uniformly over the area of all surfaces.

    Returns:
        tuple[np.ndarray, np.ndarray]: (N, 3) float64 coordinates, y up, facing +z, in random order, and (N,) int64
        global part ids.
    """
    name = CLASSES[label]
    pieces = RECIPES[name][0](rng)
    points, piece = sample_pieces(pieces, rng, num_points, stretch=STRETCH)
    return points, np.array([PART_IDS[f'{name}/{part}'] for part, _ in pieces])[piece]
