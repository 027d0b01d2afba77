"""Meshes, and points on their surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...io.naming import UnreadableError


@dataclass(frozen=True)
class Mesh:
    """Triangles whose indices have been checked.

    Attributes:
        vertices (np.ndarray): (V, 3) float64.
        triangles (np.ndarray): (T, 3) int64, at least one.
    """

    vertices: np.ndarray
    triangles: np.ndarray


def sample_surface(mesh: Mesh, num_points: int, *, seed: int) -> np.ndarray:
    """Draw points on the triangles, in proportion to their area.

    Args:
        mesh (Mesh): the mesh; its coordinates are finite.
        num_points (int): points to draw.
        seed (int): seed of the choice.

    Returns:
        np.ndarray: (num_points, 3) float64.

    Raises:
        UnreadableError: the triangles have no area.
    """
    import trimesh  # a second of import time that only mesh folders pay

    center = (mesh.vertices.max(axis=0) + mesh.vertices.min(axis=0)) / 2  # map coordinates would cost digits
    surface = trimesh.Trimesh(mesh.vertices - center, mesh.triangles, process=False)
    if not np.sum(surface.area_faces) > 0:
        raise UnreadableError(
            f'has no surface: all of its {len(mesh.triangles)} triangles have no area; repair or remove it.'
        )
    points, _ = trimesh.sample.sample_surface(surface, num_points, seed=seed)
    return np.asarray(points, dtype=np.float64) + center


def check_indices(indices: np.ndarray, num_vertices: int) -> None:
    """Check that faces refer to vertices that are there.

    Args:
        indices (np.ndarray): (K,) integers, counted from zero.
        num_vertices (int): number of vertices.

    Raises:
        UnreadableError: an index lies outside.
    """
    if indices.size and (indices.min() < 0 or indices.max() >= num_vertices):
        wrong = indices.max() if indices.max() >= num_vertices else indices.min()
        raise UnreadableError(
            f'has a face that refers to vertex {wrong} (counted from 0) of {num_vertices}; repair or remove it.'
        )
