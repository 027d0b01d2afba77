"""Reading of single clouds and meshes in common formats."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .errors import DatasetError, DatasetNotFoundError
from .pcd import read_pcd

MESH_POINTS = 2048
"""Points sampled on a mesh when no number is asked for."""


def read_cloud(path: Path, *, mesh_points: int = MESH_POINTS) -> np.ndarray:
    """Read one file in the format its suffix names (see :data:`SUFFIXES`).

    Args:
        path (Path): a cloud, or a mesh, which is sampled uniformly on its surface with a seed made from the
            file's name.
        mesh_points (int): points to sample on a mesh.

    Returns:
        np.ndarray: (N, 3) float64, the coordinates as the file has them: float32 would round map coordinates to
            half a metre, so casting is for after centring.

    Raises:
        DatasetNotFoundError: no such file.
        DatasetError: unknown suffix, unreadable file, no points, or fewer than three columns.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DatasetError(f"'{path}' has an unknown format; expected one of {', '.join(sorted(SUFFIXES))}.")
    if not path.exists():
        raise DatasetNotFoundError(
            f"'{path}' does not exist; unpack the dataset again or remove it from the lists."
        )
    if suffix in MESH_SUFFIXES:
        points = read_mesh(path, num_points=mesh_points)
    else:
        points = CLOUD_READERS[suffix](path)
    if (
        points.ndim != 2
        or len(points) == 0
        or points.shape[1] < 3
        or not np.issubdtype(points.dtype, np.number)
    ):
        raise DatasetError(
            f"'{path}' holds an array of shape {points.shape} and type {points.dtype}; expected "
            'numbers (points, 3) with at least one point.'
        )
    return np.ascontiguousarray(points[:, :3], dtype=np.float64)


def read_text(
    path: Path, columns: tuple[int, ...] = (0, 1, 2), expected: str = "rows 'x y z' or 'x,y,z'"
) -> np.ndarray:
    """Read rows of numbers separated by commas or white space, ``#`` starting a comment.

    Args:
        path (Path): the file.
        columns (tuple[int, ...]): the columns wanted.
        expected (str): what the rows should be, for the message.

    Returns:
        np.ndarray: (N, len(columns)) float64.
    """
    try:
        with path.open() as file:
            first = next((line for line in file if line.strip() and not line.lstrip().startswith('#')), None)
        if first is None:
            raise ValueError('it has no rows')
        delimiter = ',' if ',' in first else None
        return np.loadtxt(path, delimiter=delimiter, dtype=np.float64, ndmin=2, usecols=columns)
    except (ValueError, UnicodeDecodeError) as error:
        raise DatasetError(f"'{path}' is not a table of numbers ({error}); expected {expected}.") from error


def read_npy(path: Path) -> np.ndarray:
    """Read an array (N, >= 3); pickled objects are refused."""
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(
            f"'{path}' is not a plain npy array ({error}); save it with numpy.save as (points, 3)."
        ) from error


def read_mesh(path: Path, *, num_points: int) -> np.ndarray:
    """Read a mesh and sample its surface, or read the vertices of a file without faces.

    Returns:
        np.ndarray: (num_points, 3), or (vertices, 3) without faces.
    """
    import trimesh  # a second of import time that only mesh folders pay

    try:
        geometry: Any = trimesh.load(path, process=False)
    except Exception as error:  # trimesh's parsers raise whatever their format trips over
        raise DatasetError(
            f"'{path}' cannot be read ({type(error).__name__}: {error}); check the file."
        ) from error
    if isinstance(geometry, trimesh.Scene):
        geometry = geometry.to_mesh()
    if len(getattr(geometry, 'faces', ())) == 0:
        return np.asarray(geometry.vertices)
    points, _ = trimesh.sample.sample_surface(geometry, num_points, seed=name_seed(path))
    return np.asarray(points)


def name_seed(path: Path) -> int:
    """Seed made from a file's name and class directory, the same wherever the dataset lies."""
    return zlib.crc32(f'{path.parent.name}/{path.name}'.encode())


CLOUD_READERS: dict[str, Callable[[Path], np.ndarray]] = {
    '.npy': read_npy,
    '.txt': read_text,
    '.xyz': read_text,
    '.pcd': read_pcd,
}
MESH_SUFFIXES = ('.ply', '.off', '.obj')
SUFFIXES = (*CLOUD_READERS, *MESH_SUFFIXES)
"""Formats :func:`read_cloud` knows."""
