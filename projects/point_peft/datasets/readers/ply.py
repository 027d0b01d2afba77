"""Reading of PLY clouds and meshes by plyfile."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from plyfile import PlyData, PlyElement

from ...io.naming import UnreadableError
from ...io.reading import read_bytes, without_bom
from .layout import axis_fields
from .mesh import Mesh
from .npy import real
from .ply_header import check_sizes, clean_header
from .polygons import polygon_mesh, strips_to_triangles

CORNERS = ('vertex_indices', 'vertex_index')
"""Names of the list of a face's vertices."""


def read_ply(path: Path) -> np.ndarray | Mesh:
    """Read the faces or triangle strips, or the vertices of a file without them.

    Raises:
        UnreadableError: other numbers of vertices or faces than the header promises, or an index outside.
    """
    content = clean_header(without_bom(read_bytes(path)))
    check_sizes(content)
    file = BytesIO(content)
    data = PlyData.read(file)
    if not data.text and len(content) - file.tell() > 16:
        raise UnreadableError(
            f'goes on for {len(content) - file.tell()} bytes after all that its header promises; write it again.'
        )
    if 'vertex' not in data:
        raise UnreadableError(f"has the elements {[e.name for e in data]}; expected 'vertex' among them.")
    vertices = _vertices(data['vertex'])
    parts = [read(data[name]) for name, read in FACES.items() if name in data and data[name].count]
    if not parts:
        return vertices
    corners, sizes = (np.concatenate(arrays) for arrays in zip(*parts))
    return polygon_mesh(vertices, corners, sizes)


def _vertices(element: PlyElement) -> np.ndarray:
    """Coordinates (V, 3) float64."""
    names = [prop.name for prop in element.properties]
    axes = axis_fields(names)
    if not axes:
        raise UnreadableError(f'has vertices with {names}; expected x, y and z among them.')
    return np.stack([real(element[name], name) for name in axes], axis=1)


def _polygons(element: PlyElement) -> tuple[np.ndarray, np.ndarray]:
    """Corners (K,) and sizes (F,) of faces."""
    lists = _index_lists(element)
    return np.concatenate(lists).astype(np.int64), np.array([len(corners) for corners in lists])


def _strips(element: PlyElement) -> tuple[np.ndarray, np.ndarray]:
    """Corners (K,) and sizes (F,) of the triangles of strips, which -1 ends."""
    parts: list[np.ndarray] = []
    for row in _index_lists(element):
        indices = row.astype(np.int64)
        for strip in np.split(indices, np.flatnonzero(indices == -1)):
            strip = strip[strip != -1]
            if 0 < len(strip) < 3:
                raise UnreadableError(f'has a triangle strip of {len(strip)} vertices; expected 3 or more.')
            parts += [strips_to_triangles(strip)] if len(strip) else []
    triangles = np.concatenate([np.empty((0, 3), np.int64), *parts])
    return triangles.reshape(-1), np.full(len(triangles), 3)


def _index_lists(element: PlyElement) -> list[np.ndarray]:
    """The vertices that every row of an element lists."""
    names = [prop.name for prop in element.properties]
    name = next((name for name in CORNERS if name in names), None)
    if name is None:
        raise UnreadableError(
            f'has an element {element.name} with {names}; expected a list {" or ".join(CORNERS)} of its vertices.'
        )
    column = element[name]
    if column.dtype != object or any(row.dtype.kind not in 'iu' for row in column):
        raise UnreadableError(f'has {name} that are no lists of integers; write it again.')
    return list(column)


FACES = {'face': _polygons, 'tristrips': _strips}
"""Elements that make up a surface."""
