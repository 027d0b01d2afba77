"""Slow references of mmcv's point operations for one sample: loops over lists of numbers, straight from the rules."""

from __future__ import annotations

import math

Rows = list[list[float]]


def squared(a: list[float], b: list[float]) -> float:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def distances(queries: Rows, points: Rows) -> Rows:
    return [[squared(query, point) for point in points] for query in queries]


def farthest(distance: Rows, num_points: int) -> list[int]:
    """Always the point farthest from those taken, the lowest index first; ``distance`` is from row to column."""
    taken = [0]
    while len(taken) < num_points:
        gaps = [min(distance[pick][i] for pick in taken) for i in range(len(distance))]
        taken.append(gaps.index(max(gaps)))
    return taken


def ball_query(low: float, high: float, count: int, points: Rows, centers: Rows) -> list[list[int]]:
    result = []
    for center in centers:
        found = []
        for i, point in enumerate(points):
            d2 = squared(center, point)
            if d2 == 0 or low**2 <= d2 < high**2:
                found.append(i)
        found = found[:count]
        result.append(found + [found[0] if found else 0] * (count - len(found)))
    return result


def nearest(count: int, points: Rows, queries: Rows) -> tuple[list[list[int]], Rows]:
    """Indices and distances, nearest first, the lowest index first among equals; (0, infinity) for missing ones."""
    indices, lengths = [], []
    for query in queries:
        order = sorted((math.sqrt(squared(query, point)), i) for i, point in enumerate(points))[:count]
        order += [(math.inf, 0)] * (count - len(order))
        indices.append([i for _, i in order])
        lengths.append([d for d, _ in order])
    return indices, lengths


def gather(features: Rows, index: list[int]) -> Rows:
    return [[channel[i] for i in index] for channel in features]


def group(features: Rows, index: list[list[int]]) -> list[Rows]:
    return [[[channel[i] for i in row] for row in index] for channel in features]


def interpolate(features: Rows, index: list[list[int]], weight: Rows) -> Rows:
    pairs = list(zip(index, weight, strict=True))
    return [
        [sum(channel[i] * w for i, w in zip(*pair, strict=True)) for pair in pairs] for channel in features
    ]


def is_inside(point: list[float], box: list[float]) -> bool:
    """Box: center of the bottom, sizes, yaw. Sides are outside, bottom and top are inside."""
    x, y = point[0] - box[0], point[1] - box[1]
    cos, sin = math.cos(box[6]), math.sin(box[6])
    along, across = x * cos + y * sin, y * cos - x * sin  # in the axes of the box
    in_height = box[2] <= point[2] <= box[2] + box[5]
    return in_height and abs(along) < box[3] / 2 and abs(across) < box[4] / 2


def boxes_all(points: Rows, boxes: Rows) -> list[list[int]]:
    return [[int(is_inside(point, box)) for box in boxes] for point in points]


def boxes_part(points: Rows, boxes: Rows) -> list[int]:
    return [row.index(1) if 1 in row else -1 for row in boxes_all(points, boxes)]
