"""Reading of one file, whatever its format: the way in, and what every format must pass."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...io.errors import DatasetError
from ...io.naming import naming
from ..checks import check_cloud
from .gltf import read_gltf
from .las import read_las
from .layout import coordinates
from .mesh import Mesh, sample_surface
from .npy import read_npy
from .obj import read_obj
from .off import read_off
from .pcd import read_pcd
from .ply import read_ply
from .stl import read_stl
from .text import read_text

MESH_POINTS = 2048
"""Points sampled on a mesh when no number is asked for."""


def read_cloud(path: Path, *, mesh_points: int = MESH_POINTS, place: Path | None = None) -> np.ndarray:
    """Read one file in the format its suffix names (see :data:`SUFFIXES`).

    Args:
        path (Path): a cloud, or a mesh, which is sampled uniformly on its surface.
        mesh_points (int): points to sample on a mesh.
        place (Path | None): its name and that of its directory are the seed of the sampling; None means those of
            ``path``.

    Returns:
        np.ndarray: (N, 3) float64, the coordinates as the file has them: float32 would round map coordinates to
            half a metre, so casting is for after centring.

    Raises:
        DatasetNotFoundError: no such file.
        DatasetError: the file cannot be read in full (its header promises other numbers than it holds, an index lies
            outside, ...), or what it holds is no cloud: other shapes, NaN, coordinates that overflow, no extent.
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise DatasetError(f"'{path}' has an unknown format; expected one of {', '.join(sorted(SUFFIXES))}.")
    with naming(path, suffix[1:]):
        found = READERS[suffix](path)
        if isinstance(found, Mesh):
            check_cloud(found.vertices, f"'{path}'")
            points = sample_surface(found, mesh_points, seed=name_seed(place or path))
        else:
            points = coordinates(found)
        check_cloud(points, f"'{path}'")
    return points


def name_seed(path: Path) -> int:
    """Seed made from a file's name and class directory, the same wherever the dataset lies."""
    return zlib.crc32(f'{path.parent.name}/{path.name}'.encode(errors='surrogateescape'))


READERS: dict[str, Callable[[Path], np.ndarray | Mesh]] = {
    '.npy': read_npy,
    '.txt': read_text,
    '.xyz': read_text,
    '.pts': read_text,
    '.pcd': read_pcd,
    '.las': read_las,
    '.laz': read_las,
    '.ply': read_ply,
    '.off': read_off,
    '.obj': read_obj,
    '.stl': read_stl,
    '.glb': read_gltf,
    '.gltf': read_gltf,
}
SUFFIXES = tuple(READERS)
"""Formats :func:`read_cloud` knows."""
