"""Small valid files of every format, written byte by byte or by the library that is usual for the format."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from plyfile import PlyData, PlyElement

POINTS = np.random.default_rng(0).normal(size=(20, 3)).round(3)
"""A cloud (20, 3); the decimals are exact in every text format."""

CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=np.float64)
"""Corners of the unit cube."""

QUADS = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
"""Its faces."""

TRIANGLES = [corners for a, b, c, d in QUADS for corners in ((a, b, c), (a, c, d))]
MIXED = [*QUADS[:3], *TRIANGLES[6:]]
"""Its faces, three of them as pairs of triangles."""


def npy(array: np.ndarray = POINTS) -> bytes:
    """An array."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def text(points: np.ndarray = POINTS, separator: str = ' ') -> bytes:
    """Rows of numbers."""
    return '\n'.join(separator.join(map(repr, row)) for row in points.tolist()).encode() + b'\n'


def pcd_header(data: str, count: int = len(POINTS)) -> bytes:
    """Header of a PCD file of float64 coordinates and a color."""
    return (
        f'# .PCD v0.7\nVERSION 0.7\nFIELDS x y z rgb\nSIZE 8 8 8 4\nTYPE F F F U\nCOUNT 1 1 1 1\nWIDTH {count}\n'
        f'HEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {count}\nDATA {data}\n'
    ).encode()


def pcd_ascii() -> bytes:
    """PCD in text."""
    return pcd_header('ascii') + text(np.hstack([POINTS, np.full((len(POINTS), 1), 7)]))


def pcd_binary() -> bytes:
    """PCD of records."""
    records = np.zeros(len(POINTS), dtype=[('xyz', '<f8', 3), ('rgb', '<u4')])
    records['xyz'] = POINTS
    return pcd_header('binary') + records.tobytes()


def pcd_compressed() -> bytes:
    """PCD of compressed fields: literals, and one repetition for the colors, which are all zero."""
    plain = POINTS.T.astype('<f8').tobytes()
    packed = b''.join(
        bytes([len(chunk) - 1]) + chunk for chunk in (plain[i : i + 32] for i in range(0, len(plain), 32))
    )
    packed += b'\x00\x00' + bytes([7 << 5, 4 * len(POINTS) - 1 - 9, 0])
    return (
        pcd_header('binary_compressed') + struct.pack('<II', len(packed), 84 + 24 * len(POINTS) - 4) + packed
    )


def las(suffix: str, points: np.ndarray = POINTS, point_format: int = 3) -> bytes:
    """LAS or LAZ of points in millimetres."""
    import laspy

    header = laspy.LasHeader(point_format=point_format, version='1.2' if point_format < 6 else '1.4')
    header.scales, header.offsets = np.full(3, 0.001), np.zeros(3)
    cloud = laspy.LasData(header)
    cloud.x, cloud.y, cloud.z = points.T
    file = io.BytesIO()
    cloud.write(file, do_compress=suffix == '.laz')
    return file.getvalue()


def ply(is_text: bool, faces: list | None, byte_order: str = '<', kind: str = 'f8') -> bytes:
    """PLY of the cube, or of the points if there are no faces."""
    points = POINTS if faces is None else CUBE
    vertex = np.array([tuple(point) for point in points], dtype=[(name, kind) for name in 'xyz'])
    elements = [PlyElement.describe(vertex, 'vertex')]
    if faces is not None:
        rows = np.empty(len(faces), dtype=[('vertex_indices', object)])
        rows['vertex_indices'] = [np.array(face, dtype='i4') for face in faces]
        elements.append(PlyElement.describe(rows, 'face'))
    file = io.BytesIO()
    PlyData(elements, text=is_text, byte_order='=' if is_text else byte_order).write(file)
    return file.getvalue()


def off(faces: list = MIXED, separator: str = '\n') -> bytes:
    """OFF of the cube."""
    rows = [' '.join(map(str, point)) for point in CUBE.tolist()]
    rows += [' '.join(map(str, (len(face), *face))) for face in faces]
    return separator.join(['OFF', f'{len(CUBE)} {len(faces)} 0', *rows]).encode() + b'\n'


def obj(faces: list = MIXED) -> bytes:
    """OBJ of the cube, with texture and normal indices."""
    rows = [f'v {x} {y} {z}' for x, y, z in CUBE.tolist()] + ['vt 0 0', 'vn 0 0 1', 'g cube', 's off']
    rows += ['f ' + ' '.join(f'{corner + 1}/1/1' for corner in face) for face in faces]
    return '\n'.join(rows).encode() + b'\n'


def stl_ascii() -> bytes:
    """STL in text."""
    rows = ['solid cube']
    for triangle in TRIANGLES:
        rows += ['facet normal 0 0 1', ' outer loop']
        rows += ['  vertex {} {} {}'.format(*CUBE[corner]) for corner in triangle]
        rows += [' endloop', 'endfacet']
    return '\n'.join([*rows, 'endsolid cube']).encode() + b'\n'


def stl_binary(title: bytes = b'solid cube') -> bytes:
    """Binary STL whose title begins as that of a text."""
    records = b''.join(
        struct.pack('<12fH', 0, 0, 1, *CUBE[list(triangle)].reshape(-1), 0) for triangle in TRIANGLES
    )
    return title.ljust(80, b'\0') + struct.pack('<I', len(TRIANGLES)) + records


def gltf_tree(**changes: object) -> tuple[dict, bytes]:
    """Description and data of a scene that shows the cube once, moved by (10, 0, 0)."""
    positions, corners = CUBE.astype('<f4').tobytes(), np.array(TRIANGLES, dtype='<u2').tobytes()
    tree = dict(
        asset=dict(version='2.0'),
        scene=0,
        scenes=[dict(nodes=[0])],
        nodes=[dict(mesh=0, translation=[10, 0, 0])],
        meshes=[dict(primitives=[dict(attributes=dict(POSITION=0), indices=1)])],
        accessors=[
            dict(bufferView=0, componentType=5126, count=8, type='VEC3', min=[0, 0, 0], max=[1, 1, 1]),
            dict(bufferView=1, componentType=5123, count=36, type='SCALAR'),
        ],
        bufferViews=[
            dict(buffer=0, byteOffset=0, byteLength=96),
            dict(buffer=0, byteOffset=96, byteLength=72),
        ],
        buffers=[dict(byteLength=168)],
    )
    return {**tree, **changes}, positions + corners


def glb(tree: dict | None = None, data: bytes | None = None) -> bytes:
    """The container of a scene."""
    default_tree, default_data = gltf_tree()
    text = json.dumps(default_tree if tree is None else tree).encode()
    text += b' ' * (-len(text) % 4)
    data = default_data if data is None else data
    chunks = (
        struct.pack('<II', len(text), 0x4E4F534A) + text + struct.pack('<II', len(data), 0x004E4942) + data
    )
    return b'glTF' + struct.pack('<II', 2, 12 + len(chunks)) + chunks


def gltf() -> bytes:
    """A scene with its data in the description."""
    import base64

    tree, data = gltf_tree()
    tree['buffers'] = [dict(byteLength=168, uri='data:;base64,' + base64.b64encode(data).decode())]
    return json.dumps(tree).encode()


CLOUDS: dict[str, Callable[[], bytes]] = {
    'npy': npy,
    'txt': text,
    'xyz': lambda: text(separator=','),
    'pts': text,
    'ascii.pcd': pcd_ascii,
    'binary.pcd': pcd_binary,
    'compressed.pcd': pcd_compressed,
    'las': lambda: las('.las'),
    'laz': lambda: las('.laz'),
    'ascii.ply': lambda: ply(True, None),
    'binary.ply': lambda: ply(False, None),
}
"""Files of the points."""

MESHES: dict[str, Callable[[], bytes]] = {
    'ascii_mesh.ply': lambda: ply(True, MIXED),
    'binary_mesh.ply': lambda: ply(False, MIXED),
    'big_mesh.ply': lambda: ply(False, TRIANGLES, '>', 'f4'),
    'off': off,
    'obj': obj,
    'ascii.stl': stl_ascii,
    'binary.stl': stl_binary,
    'glb': glb,
    'gltf': gltf,
}
"""Files of the cube; glb and gltf have it moved."""


def write(directory: Path, kind: str, content: bytes | None = None) -> Path:
    """Write the file of one of :data:`CLOUDS` or :data:`MESHES`, or other content under its name."""
    path = directory / (f'{kind}' if '.' in kind else f'file.{kind}')
    path.write_bytes({**CLOUDS, **MESHES}[kind]() if content is None else content)
    return path
