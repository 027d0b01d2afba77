"""Reading of the shape of glTF 2.0 scenes, glb and gltf: what the default scene shows at rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...io.naming import UnreadableError
from ...io.reading import check_count, read_bytes
from .gltf_buffers import Buffers, item, load_buffers
from .gltf_container import split_container
from .mesh import Mesh, check_indices
from .polygons import fan_to_triangles, strips_to_triangles

POINTS, TRIANGLES, STRIP, FAN = 0, 4, 5, 6
"""Modes of primitives; 1 to 3 are lines, which have no surface."""

HARMLESS = ('KHR_materials_', 'KHR_texture_', 'KHR_lights_', 'EXT_texture_', 'KHR_mesh_quantization')
"""Beginnings of extensions that a reader of shapes may pass over."""


def read_gltf(path: Path) -> np.ndarray | Mesh:
    """Read the triangles of all nodes of the scene, moved by their transforms, or the points of a scene without.

    Raises:
        UnreadableError: an extension that packs or multiplies shapes, a skeleton, shapes that are blended, or a file
            that does not hold what it declares.
    """
    tree, chunk = split_container(read_bytes(path))
    unknown = [name for name in tree.get('extensionsRequired', ()) if not name.startswith(HARMLESS)]
    if unknown:
        raise UnreadableError(f'needs the glTF extension {unknown[0]}, which is not read; export it without.')
    buffers = load_buffers(tree, chunk, path)
    surfaces: list[Mesh] = []
    clouds: list[np.ndarray] = []
    total = 0
    for mesh, transform in _placed_meshes(tree):
        for primitive in mesh['primitives']:
            found = _primitive(primitive, buffers)
            if found is None:
                continue
            vertices = found[0] @ transform[:3, :3].T + transform[:3, 3]
            total = check_count(total + len(vertices) + len(found[1]), 'vertices and triangles')
            if found[2]:
                clouds.append(vertices)
            else:
                surfaces.append(Mesh(vertices, found[1]))
    if surfaces and clouds:
        raise UnreadableError('has points beside triangles; keep one of them.')
    if not surfaces and not clouds:
        raise UnreadableError('shows no triangles or points in its scene; check the file.')
    return _join(surfaces) if surfaces else np.concatenate(clouds)


def _join(surfaces: list[Mesh]) -> Mesh:
    """One mesh of several."""
    starts = np.cumsum([0, *(len(surface.vertices) for surface in surfaces)])
    return Mesh(
        np.concatenate([surface.vertices for surface in surfaces]),
        np.concatenate([surface.triangles + start for surface, start in zip(surfaces, starts)]),
    )


def _placed_meshes(tree: dict[str, Any]) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Meshes of the default scene and the transforms (4, 4) of their nodes; without nodes all meshes as they are."""
    nodes = tree.get('nodes', [])
    if not nodes:
        yield from ((mesh, np.eye(4)) for mesh in tree.get('meshes', []))
        return
    children = {child for node in nodes for child in node.get('children', ())}
    roots = [index for index in range(len(nodes)) if index not in children]
    if tree.get('scenes'):
        roots = item(tree, 'scenes', tree.get('scene', 0)).get('nodes', [])
    seen: set[int] = set()
    queue = [(index, np.eye(4)) for index in roots]
    while queue:
        index, parent = queue.pop()
        node = item(tree, 'nodes', index)
        if index in seen:
            raise UnreadableError(
                f'has node {index} below two others; a scene must be a tree: export it again.'
            )
        seen.add(index)
        transform = parent @ _transform(node)
        queue += [(child, transform) for child in node.get('children', ())]
        if 'mesh' in node:
            mesh = item(tree, 'meshes', node['mesh'])
            for place in (node, mesh):
                if (
                    'skin' in place
                    or any(place.get('weights', ()))
                    or place.get('extensions', {}).keys() & {'EXT_mesh_gpu_instancing'}
                ):
                    raise UnreadableError(
                        f'has a node {index} with a skeleton, blended shapes or instances, which are not read; apply '
                        'them and export it again.'
                    )
            yield mesh, transform


def _transform(node: dict[str, Any]) -> np.ndarray:
    """Matrix (4, 4) of a node."""
    if 'matrix' in node:
        return np.array(node['matrix'], dtype=np.float64).reshape(4, 4).T
    x, y, z, w = np.array(node.get('rotation', (0, 0, 0, 1)), dtype=np.float64)
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.array(node.get('scale', (1, 1, 1)), dtype=np.float64)
    matrix[:3, 3] = node.get('translation', (0, 0, 0))
    return matrix


def _primitive(primitive: dict[str, Any], buffers: Buffers) -> tuple[np.ndarray, np.ndarray, bool] | None:
    """Vertices (V, 3), triangles (T, 3) and whether they are points; None for lines and what has no positions."""
    mode = primitive.get('mode', TRIANGLES)
    packed = [name for name in primitive.get('extensions', {}) if not name.startswith(HARMLESS)]
    if packed or mode not in range(7):
        raise UnreadableError(f'has shapes in {packed or mode}, which is not read; export it without.')
    if mode not in (POINTS, TRIANGLES, STRIP, FAN) or 'POSITION' not in primitive['attributes']:
        return None
    vertices = buffers.positions(primitive['attributes']['POSITION'])
    if mode == POINTS:
        return vertices, np.empty((0, 3), np.int64), True
    order = buffers.indices(primitive['indices']) if 'indices' in primitive else np.arange(len(vertices))
    check_indices(order, len(vertices))
    if len(order) < 3 or (mode == TRIANGLES and len(order) % 3):
        raise UnreadableError(f'has {len(order)} corners of triangles; export it again.')
    cut = {TRIANGLES: lambda row: row.reshape(-1, 3), STRIP: strips_to_triangles, FAN: fan_to_triangles}
    return vertices, cut[mode](order), False
