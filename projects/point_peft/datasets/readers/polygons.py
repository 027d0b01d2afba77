"""Polygons cut into triangles."""

from __future__ import annotations

import numpy as np

from ...io.naming import UnreadableError
from .mesh import Mesh, check_indices

TOLERANCE = 1e-9
"""How far a corner may bend inwards, relative to the squared size of the polygon, before it counts as concave."""


def polygon_mesh(vertices: np.ndarray, corners: np.ndarray, sizes: np.ndarray) -> Mesh:
    """Mesh of polygons of any sizes.

    Args:
        vertices (np.ndarray): (V, 3) float64.
        corners (np.ndarray): (K,) vertices of all polygons, one polygon after the other, counted from zero.
        sizes (np.ndarray): (F,) number of corners of every polygon, in total K.

    Raises:
        UnreadableError: an index lies outside, or a polygon has fewer than three corners.
    """
    corners, sizes = np.asarray(corners, dtype=np.int64), np.asarray(sizes, dtype=np.int64)
    if sizes.min() < 3:
        raise UnreadableError(
            f'has a face of {sizes.min()} corners (face {int(np.argmin(sizes))}, counted from 0); expected 3 or more.'
        )
    check_indices(corners, len(vertices))
    if sizes.max() == 3:
        return Mesh(vertices, corners.reshape(-1, 3))
    starts = np.cumsum(sizes) - sizes
    parts: list[np.ndarray] = []
    for size in np.unique(sizes):
        polygons = corners[starts[sizes == size, None] + np.arange(size)]  # (F_size, size)
        convex = _are_convex(vertices[polygons]) if size > 3 else np.ones(len(polygons), dtype=bool)
        parts.append(_fan(polygons[convex]))
        parts += [_cut_ears(vertices, polygon) for polygon in polygons[~convex]]
    return Mesh(vertices, np.concatenate(parts))


def strips_to_triangles(strip: np.ndarray) -> np.ndarray:
    """Triangles (T, 3) of one strip (K,), in which every vertex makes one with the two before it."""
    return np.stack([strip[:-2], strip[1:-1], strip[2:]], axis=1)


def fan_to_triangles(fan: np.ndarray) -> np.ndarray:
    """Triangles (T, 3) of one fan (K,), in which they share the first vertex."""
    return _fan(fan[None])


def _fan(polygons: np.ndarray) -> np.ndarray:
    """Triangles (F (n - 2), 3) of convex polygons (F, n)."""
    first = np.broadcast_to(polygons[:, :1], polygons[:, 2:].shape)
    return np.stack([first, polygons[:, 1:-1], polygons[:, 2:]], axis=2).reshape(-1, 3)


def _are_convex(points: np.ndarray) -> np.ndarray:
    """Whether polygons (F, n, 3) bend to the same side at every corner, seen along their normal: (F,)."""
    edges = np.roll(points, -1, axis=1) - points
    normals = _normals(points)
    bends = np.sum(np.cross(edges, np.roll(edges, -1, axis=1)) * normals[:, None], axis=-1)
    size = np.sum(edges**2, axis=(1, 2)) * np.linalg.norm(normals, axis=-1)
    return (bends >= -TOLERANCE * size[:, None]).all(axis=1)


def _normals(points: np.ndarray) -> np.ndarray:
    """Vectors (F, 3) perpendicular to polygons (F, n, 3), as long as twice their area (Newell)."""
    arms = points - points[:, :1]
    return np.cross(arms, np.roll(arms, -1, axis=1)).sum(axis=1)


def _cut_ears(vertices: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Triangles (T, 3) of a concave polygon (n,), in the plane across which it is widest."""
    from mapbox_earcut import triangulate_float64

    points = vertices[polygon]
    axis = int(np.argmax(np.abs(_normals(points[None])[0])))
    flat = np.ascontiguousarray(np.delete(points - points[0], axis, axis=1))
    cut = triangulate_float64(flat, np.array([len(polygon)], dtype=np.uint32))
    if len(cut) == 0:  # no area in the plane
        return fan_to_triangles(polygon)
    return polygon[cut.astype(np.int64)].reshape(-1, 3)
