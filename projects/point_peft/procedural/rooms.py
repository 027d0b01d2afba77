"""Rooms with furniture and oriented boxes: scenes for 3D detection that need no download."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from ..io.errors import InvalidValueError
from .dataset import STREAMS
from .placement import place
from .shapes import CLASSES, sample_object

EXTENTS = {
    'bed': (1.9, 2.3),
    'bookshelf': (1.2, 2.1),
    'cabinet': (0.8, 1.8),
    'chair': (0.8, 1.1),
    'lamp': (1.0, 1.7),
    'sofa': (1.2, 2.2),
    'table': (0.8, 1.8),
}
"""Range of the largest extent of an object in metres, by class. The other procedural classes do not stand on floors,
or a scan of one could as well be one of these (desk and table, bench and sofa, stool and chair)."""

ROOM_CLASSES = tuple(EXTENTS)
"""Class names in label order."""

BACKGROUND = len(ROOM_CLASSES)
"""Semantic id of floor and walls; mmdet3d gives this number to what has no box."""

OBJECTS = (3, 8)
"""Fewest and most objects in a room."""

WALL_HEIGHT = (2.2, 2.8)
"""Range of the height of the walls in metres."""

JITTER = 0.005
"""Standard deviation of a point from its surface in metres."""

BOX_MARGIN = 0.001
"""Distance in metres of a box from the outermost points, so that rounding to float32 leaves none outside."""

COLORS, COLOR_NOISE = (40, 220), 12
"""Range of a surface's color, and the standard deviation of its points' color, of 255."""

ROOM_STREAM = 1
"""Separates the random numbers of room i from those of object i of :class:`ProceduralShapes`."""

MIN_POINTS = 512
"""With fewer points in a room, small objects would get none."""

ACROSS_UP = [2, 0, 1]
"""Columns that turn y up, facing +z (recipes) into z up, facing +x (boxes of yaw 0)."""


@dataclass(frozen=True)
class Room:
    """One scene: z up, in metres, the floor at z = 0, the origin in its middle.

    Attributes:
        points (np.ndarray): (N, 6) float32 coordinates and colors from 0 to 255, in random order.
        boxes (np.ndarray): (M, 7) float32 (x, y, z, dx, dy, dz, yaw) with the center of the box; dx is along the
            direction that the object faces, yaw is that direction from +x towards +y, in radians.
        labels (np.ndarray): (M,) int64 index into :data:`ROOM_CLASSES`.
        instances (np.ndarray): (N,) int64, 0 for floor and walls and i + 1 for points of object i.
        semantics (np.ndarray): (N,) int64 label of a point's object, :data:`BACKGROUND` for floor and walls.
    """

    points: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    instances: np.ndarray
    semantics: np.ndarray


def make_room(index: int, *, split: str = 'train', num_points: int = 4096, seed: int = 0) -> Room:
    """Make one room; it depends on the arguments alone, and no two splits share one.

    Args:
        index (int): number of the room in its split.
        split (str): ``train``, ``val`` or ``test``.
        num_points (int): points N in the room. They are spread over floor, walls and objects by the area of floor,
            walls and boxes, and over an object uniformly by area. Nothing is occluded.
        seed (int): another seed gives other rooms.

    Raises:
        ValueError: an unknown split, or too few points.
    """
    if split not in STREAMS:
        raise InvalidValueError(f"split='{split}' is none of {', '.join(STREAMS)}.")
    if num_points < MIN_POINTS:
        raise InvalidValueError(
            f'num_points={num_points} must be at least {MIN_POINTS}, or objects get no points.'
        )
    rng = np.random.default_rng([seed, STREAMS[split], index, ROOM_STREAM])
    labels = rng.integers(len(ROOM_CLASSES), size=rng.integers(OBJECTS[0], OBJECTS[1] + 1))
    objects = [_furniture(ROOM_CLASSES[label], rng, num_points) for label in labels]
    sizes = np.array([np.ptp(points, axis=0) for points in objects]) + 2 * BOX_MARGIN
    rectangles, floor = place(sizes[:, :2], rng)
    shell, shell_areas = _shell(floor, rng, num_points)
    surfaces = shell + [_stand(points, rectangle) for points, rectangle in zip(objects, rectangles)]
    points, owner = _scan(surfaces, np.concatenate([shell_areas, _box_areas(sizes)]), rng, num_points)
    owner -= len(shell)  # negative for floor and walls
    heights = sizes[:, 2:] / 2 - BOX_MARGIN
    boxes = np.concatenate([rectangles[:, :2], heights, sizes, rectangles[:, 4:]], axis=1)
    return Room(
        points=points,
        boxes=boxes.astype(np.float32),
        labels=labels,
        instances=np.maximum(owner + 1, 0),
        semantics=np.where(owner < 0, BACKGROUND, labels[owner]),
    )


def _scan(
    surfaces: list[np.ndarray], areas: np.ndarray, rng: Generator, num_points: int
) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 6) with color, float32, drawn from surfaces (S, N, 3) by area, and their surface (N,)."""
    counts = rng.multinomial(num_points, areas / areas.sum())
    coordinates = np.concatenate([points[:count] for points, count in zip(surfaces, counts)])
    owner = np.repeat(np.arange(len(counts)), counts)
    colors = rng.uniform(*COLORS, (len(counts), 3))[owner]
    colors = np.clip(colors + COLOR_NOISE * rng.standard_normal((num_points, 3)), 0, 255)
    order = rng.permutation(num_points)
    return np.concatenate([coordinates, colors], axis=1)[order].astype(np.float32), owner[order]


def _furniture(name: str, rng: Generator, num_points: int) -> np.ndarray:
    """Points (N, 3) of an object of natural size that faces +x, stands on z = 0 and is centred about the z axis."""
    points, _ = sample_object(CLASSES.index(name), rng, num_points, turned=False)
    points = points[:, ACROSS_UP]
    extent = np.ptp(points, axis=0)
    if (
        name == 'bed' and extent[0] < extent[1]
    ):  # beds come in any quarter turn; lengthwise is along the heading
        points = points[:, [1, 0, 2]] * [1, -1, 1]
    points = points * (rng.uniform(*EXTENTS[name]) / extent.max()) + JITTER * rng.standard_normal(
        points.shape
    )
    low, high = points.min(axis=0), points.max(axis=0)
    return points - [*(low + high)[:2] / 2, low[2]]


def _stand(points: np.ndarray, rectangle: np.ndarray) -> np.ndarray:
    """Turn an object (N, 3) by the yaw of its rectangle (5,) and put it in the rectangle's place."""
    cosine, sine = np.cos(rectangle[4]), np.sin(rectangle[4])
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    return points @ turn.T + [*rectangle[:2], 0]


def _shell(floor: np.ndarray, rng: Generator, num_points: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Points (N, 3) on the floor and on the two walls at its far ends, and their areas (3,)."""
    size = np.array([*floor, rng.uniform(*WALL_HEIGHT)])
    surfaces = []
    for normal, offset in ((2, 0.0), (0, floor[0] / 2), (1, floor[1] / 2)):
        points = (rng.random((num_points, 3)) - [0.5, 0.5, 0]) * size
        points[:, normal] = offset
        surfaces.append(points + JITTER * rng.standard_normal(points.shape))
    return surfaces, size.prod() / size[[2, 0, 1]]


def _box_areas(sizes: np.ndarray) -> np.ndarray:
    """Surfaces (M,) of boxes of edge lengths (M, 3)."""
    return 2 * (sizes.prod(axis=1, keepdims=True) / sizes).sum(axis=1)
