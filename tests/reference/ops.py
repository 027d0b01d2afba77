"""Slow point operations in plain Python and float64, one cloud at a time, apart from ``point_peft.ops``."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = Sequence[float]
Cloud = Sequence[Point]


def squared_distance(p: Point, q: Point) -> float:
    """Squared distance of two points."""
    return math.fsum((x - y) ** 2 for x, y in zip(p, q, strict=True))


def farthest_point_sample(cloud: Cloud, num_samples: int) -> list[int]:
    """Farthest point sampling from index 0; every distance is computed anew, the lowest index wins a tie."""
    picks = [0]
    while len(picks) < num_samples:
        distances = [min(squared_distance(point, cloud[pick]) for pick in picks) for point in cloud]
        picks.append(distances.index(max(distances)))
    return picks


def is_farthest_point_sample(cloud: Cloud, picks: Sequence[int], tolerance: float = 1e-6) -> bool:
    """Whether each pick is as far from the earlier picks as any point is, up to a relative tolerance."""
    if picks[0] != 0:
        return False
    for step in range(1, len(picks)):
        distances = [min(squared_distance(point, cloud[pick]) for pick in picks[:step]) for point in cloud]
        if distances[picks[step]] < max(distances) * (1 - tolerance):
            return False
    return True


def knn(query: Cloud, support: Cloud, k: int) -> list[list[int]]:
    """Indices of the nearest supports of each query; ties in order of the index."""
    rows = []
    for point in query:
        order = sorted((squared_distance(point, other), index) for index, other in enumerate(support))
        rows.append([index for _, index in order[:k]])
    return rows


def interpolation_weights(query: Cloud, support: Cloud, eps: float = 1e-8) -> list[list[float]]:
    """Normalised ``1 / (d^2 + eps)`` over all supports."""
    rows = []
    for point in query:
        weights = [1 / (squared_distance(point, other) + eps) for other in support]
        rows.append([weight / math.fsum(weights) for weight in weights])
    return rows


def chamfer(a: Cloud, b: Cloud, power: float = 1.0) -> tuple[float, float]:
    """Mean of squared nearest distances to the ``power`` (0.5: plain distances), of a to b and of b to a."""
    to_b = [min(squared_distance(p, q) for q in b) ** power for p in a]
    to_a = [min(squared_distance(p, q) for p in a) ** power for q in b]
    return math.fsum(to_b) / len(to_b), math.fsum(to_a) / len(to_a)
