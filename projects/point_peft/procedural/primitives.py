"""Surfaces that can be sampled uniformly: boxes, solids of revolution, ellipsoids, tori and prisms.

All lengths share one arbitrary unit; y points up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Surface:
    """A surface and how to draw points on it.

    Attributes:
        area (float): its area, which decides its share of an object's points.
        sample (Callable[[Generator, int], np.ndarray]): draws (count, 3) points uniformly.
    """

    area: float
    sample: Callable[[Generator, int], np.ndarray]

    def moved(self, rotation: np.ndarray, offset: ArrayLike) -> Surface:
        """The surface after a rotation (3, 3) of column vectors and an offset (3,)."""
        return Surface(
            self.area, lambda rng, count: self.sample(rng, count) @ rotation.T + np.asarray(offset)
        )


def box(size: ArrayLike, center: ArrayLike) -> Surface:
    """Axis-aligned box of full edge lengths ``size`` (3,) about ``center`` (3,)."""
    edges, middle = np.asarray(size, dtype=float), np.asarray(center, dtype=float)
    faces = edges.prod() / edges  # area of a face normal to each axis
    share = np.cumsum(faces / faces.sum())

    def sample(rng: Generator, count: int) -> np.ndarray:
        unit = rng.random((count, 3))
        axis = np.minimum(np.searchsorted(share, rng.random(count)), 2)
        rows = np.arange(count)
        unit[rows, axis] = unit[rows, axis].round()  # 0 or 1: one of the two faces
        return (unit - 0.5) * edges + middle

    return Surface(2 * faces.sum(), sample)


def revolve(profile: Sequence[tuple[float, float]]) -> Surface:
    """Surface of revolution about the y axis.

    Args:
        profile (Sequence[tuple[float, float]]): polyline of (radius, height); a segment that begins or ends
            at radius 0 closes the solid.
    """
    line = np.asarray(profile, dtype=float)
    begin, end = line[:-1], line[1:]
    areas = np.pi * (begin[:, 0] + end[:, 0]) * np.linalg.norm(end - begin, axis=1)
    share = np.cumsum(areas / areas.sum())

    def sample(rng: Generator, count: int) -> np.ndarray:
        segment = np.minimum(np.searchsorted(share, rng.random(count)), len(share) - 1)
        start, stop = begin[segment], end[segment]
        along = start + (stop - start) * _frustum_height(rng.random(count), start[:, 0], stop[:, 0])[:, None]
        angle = rng.random(count) * 2 * np.pi
        return np.stack([along[:, 0] * np.cos(angle), along[:, 1], along[:, 0] * np.sin(angle)], axis=1)

    return Surface(float(areas.sum()), sample)


def tube(start: ArrayLike, end: ArrayLike, radius: float, end_radius: float | None = None) -> Surface:
    """Closed cylinder, or cone frustum, between two points (3,)."""
    axis = np.asarray(end, dtype=float) - np.asarray(start, dtype=float)
    length = float(np.linalg.norm(axis))
    last = radius if end_radius is None else end_radius
    upright = revolve([(0, 0), (radius, 0), (last, length), (0, length)])
    return upright.moved(rotation_from_up(axis / length), start)


def ellipsoid(radii: ArrayLike, center: ArrayLike) -> Surface:
    """Ellipsoid of half axes ``radii`` (3,): sampled through the sphere, uniform up to its stretching."""
    half, middle = np.asarray(radii, dtype=float), np.asarray(center, dtype=float)
    power = 1.6075  # Knud Thomsen's formula, within 1.1 %
    products = (half * np.roll(half, 1)) ** power
    area = 4 * np.pi * products.mean() ** (1 / power)

    def sample(rng: Generator, count: int) -> np.ndarray:
        direction = rng.standard_normal((count, 3))
        return direction / np.linalg.norm(direction, axis=1, keepdims=True) * half + middle

    return Surface(float(area), sample)


def torus(ring: float, thickness: float, *, arc: float = 2 * np.pi, start: float = 0.0) -> Surface:
    """Ring in the x-y plane about the origin, or an arc of it (a handle).

    Args:
        ring (float): distance from the origin to the middle of the tube.
        thickness (float): radius of the tube.
        arc (float): angle covered, in radians.
        start (float): where the arc begins, counter-clockwise from +x.
    """

    def sample(rng: Generator, count: int) -> np.ndarray:
        angle = start + arc * rng.random(count)
        around = 2 * np.pi * rng.random(count)
        radius = ring + thickness * np.cos(around)
        return np.stack([radius * np.cos(angle), radius * np.sin(angle), thickness * np.sin(around)], axis=1)

    return Surface(float(arc * ring * 2 * np.pi * thickness), sample)


def prism(outline: np.ndarray, thickness: float) -> Surface:
    """Plate of a star-shaped outline (K, 2) in the x-y plane, extruded to +- thickness / 2 along z."""
    first, second = outline, np.roll(outline, -1, axis=0)
    center = outline.mean(axis=0)
    edge_1, edge_2 = first - center, second - center
    triangles = 0.5 * np.abs(edge_1[:, 0] * edge_2[:, 1] - edge_1[:, 1] * edge_2[:, 0])
    sides = np.linalg.norm(second - first, axis=1) * thickness
    areas = np.concatenate([2 * triangles, sides])
    share = np.cumsum(areas / areas.sum())
    corners = len(outline)

    def sample(rng: Generator, count: int) -> np.ndarray:
        pick = np.minimum(np.searchsorted(share, rng.random(count)), len(share) - 1)
        edge, on_side = pick % corners, pick >= corners
        u, v = np.sqrt(rng.random(count))[:, None], rng.random(count)[:, None]
        rim = first[edge] * (1 - v) + second[edge] * v
        plane = np.where(on_side[:, None], rim, center * (1 - u) + rim * u)
        height = rng.random(count)
        depth = np.where(on_side, height, height.round()) - 0.5
        return np.concatenate([plane, (depth * thickness)[:, None]], axis=1)

    return Surface(float(areas.sum()), sample)


def rotation_from_up(direction: np.ndarray) -> np.ndarray:
    """A rotation (3, 3) that takes +y to the unit vector ``direction`` (3,)."""
    helper = np.array([0.0, 0.0, 1.0]) if abs(direction[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    side = np.cross(direction, helper)
    side /= np.linalg.norm(side)
    return np.stack([side, direction, np.cross(side, direction)], axis=1)


def rotation_about(axis: int, angle: float) -> np.ndarray:
    """Right-handed rotation (3, 3) by ``angle`` radians about axis 0, 1 or 2."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[second, first] = np.sin(angle)
    matrix[first, second] = -matrix[second, first]
    return matrix


def _frustum_height(share: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Height in [0, 1] below which a ``share`` of the mantle lies, for radii from ``begin`` to ``end``."""
    # The mantle up to height t is proportional to begin * t + (end - begin) * t^2 / 2. Multiplying the
    # quadratic's solution by its conjugate keeps equal radii (a cylinder) free of 0 / 0.
    root = np.sqrt(begin**2 * (1 - share) + end**2 * share)
    return share * (begin + end) / np.maximum(begin + root, 1e-12)
