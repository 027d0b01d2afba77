"""Meshes in the ways that programs write them: the whole surface is sampled, or the file is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sample_files import CUBE, MESHES, MIXED, QUADS, TRIANGLES, obj, off, ply, stl_ascii, stl_binary, write

from point_peft.datasets.readers import read_cloud
from point_peft.io.errors import DatasetError

VERTICES = '\n'.join(' '.join(map(str, corner)) for corner in CUBE.tolist())
COLORED = '\n'.join(' '.join(map(str, corner)) + ' 255 0 0 255' for corner in CUBE.tolist())
FACES = '\n'.join('4 ' + ' '.join(map(str, face)) for face in QUADS)
PLY_TEXT = ply(True, MIXED)
PLY_HEADER, PLY_BODY = ply(False, MIXED).split(b'end_header\n', 1)


def assert_covers_cube(points: np.ndarray) -> None:
    """The points lie on all six faces of the unit cube, as many on each."""
    on = np.isclose(np.concatenate([points, 1 - points], axis=1), 0, atol=1e-7)
    assert on.any(axis=1).all() and points.min() >= 0 and points.max() <= 1
    np.testing.assert_allclose(on.mean(axis=0), 1 / 6, atol=0.04)


@pytest.mark.parametrize('kind', MESHES)
def test_every_format(tmp_path: Path, kind: str) -> None:
    """The cube of every format, with faces of one size and of two; the scene of glTF moves it."""
    points = read_cloud(write(tmp_path, kind))
    assert points.shape == (2048, 3) and points.dtype == np.float64
    assert_covers_cube(points - [10, 0, 0] if 'gl' in kind else points)


OFF_FILES = {
    'a number a line': off(separator='\n').replace(b' ', b'\n'),
    'one line': off(separator=' '),
    'counts after the keyword': f'OFF 8 6 12\n{VERTICES}\n{FACES}\n'.encode(),
    'counts glued to the keyword': f'OFF8 6 12\n{VERTICES}\n{FACES}\n'.encode(),
    'no number of edges': f'OFF\n8 6\n{VERTICES}\n{FACES}\n'.encode(),
    'comments and blank lines': f'# a\nOFF # b\n\n8 6 12 # c\n{VERTICES} # d\n\n{FACES}\n# e'.encode(),
    'colors of vertices': f'COFF\n8 6 12\n{COLORED}\n{FACES}\n'.encode(),
    'colors of vertices on one line': ' '.join(f'COFF\n8 6 12\n{COLORED}\n{FACES}'.split()).encode(),
    'colors of faces': f'OFF\n8 6 12\n{VERTICES}\n'.encode() + FACES.replace('\n', ' 1 0 0\n').encode(),
    'normals': f'NOFF\n8 6 12\n{VERTICES}\n{FACES}'.replace('.0\n', '.0 0 0 1\n').encode(),
    'line ends of Windows': off().replace(b'\n', b'\r\n'),
    'mark of UTF-8': b'\xef\xbb\xbf' + off(),
    'UTF-16': off().decode().encode('utf-16'),
}


@pytest.mark.parametrize('case', OFF_FILES)
def test_off(tmp_path: Path, case: str) -> None:
    """White space is free, and colors, normals and comments are allowed."""
    assert_covers_cube(read_cloud(write(tmp_path, 'off', OFF_FILES[case])))


def separate_obj(indices: str) -> bytes:
    """OBJ that gives the vertices of every face before it."""
    return ''.join(
        ''.join('v {} {} {} 0.5 0.5 0.5\n'.format(*CUBE[corner]) for corner in face) + f'f {indices}\n'
        for face in QUADS
    ).encode()


OBJ_FILES = {
    'relative indices': separate_obj('-4 -3 -2 -1'),
    'relative indices with others': separate_obj('-4// -3/1 -2/1/1 -1'),
    'a statement on two lines': separate_obj('-4 -3 \\\n -2 -1'),
    'a comment in Latin-1': b'# Pr\xfcfst\xfcck\n' + obj(),
    'a comment that ends in a backslash': b'# C:\\parts\\\n' + obj(),
    'UTF-16': obj().decode().encode('utf-16'),
    'mark of UTF-8': b'\xef\xbb\xbf' + obj(),
    'line ends of old Macs': obj().replace(b'\n', b'\r'),
}


@pytest.mark.parametrize('case', OBJ_FILES)
def test_obj(tmp_path: Path, case: str) -> None:
    """Indices that count back from where they stand, colors, continued lines and other encodings."""
    assert_covers_cube(read_cloud(write(tmp_path, 'obj', OBJ_FILES[case])))


STRIPS = (
    b'ply\nformat ascii 1.0\nelement vertex 8\nproperty float x\nproperty float y\nproperty float z\n'
    b'element tristrips 1\nproperty list int int vertex_indices\nend_header\n%s\n%s\n'
)
STRIP = [corner for a, b, c, d in QUADS for corner in (a, b, d, c, -1)]
EXTRA = (
    'ply\nformat ascii 1.0\ncomment more elements\nelement camera 1\nproperty float fov\nelement vertex 8\n'
    'property uchar red\nproperty double x\nproperty double y\nproperty double z\nelement edge 1\n'
    'property int vertex1\nproperty int vertex2\nelement face 6\nproperty uchar flags\n'
    'property list uint uint vertex_index\nproperty list uchar float texcoord\nend_header\n45\n7 '
    + VERTICES.replace('\n', '\n7 ')
    + '\n0 1\n1 '
    + FACES.replace('\n', ' 2 0 0\n1 ')
    + ' 2 0 0\n'
).encode()
PLY_FILES = {
    'strips': STRIPS % (VERTICES.encode(), ' '.join(map(str, (len(STRIP), *STRIP))).encode()),
    'more elements and properties': EXTRA,
    'vertex_index': PLY_TEXT.replace(b'vertex_indices', b'vertex_index'),
    'a comment in Latin-1': PLY_TEXT.replace(b'ply\n', b'ply\ncomment Pr\xfcfst\xfcck\n', 1),
    'header with line ends of Windows': PLY_HEADER.replace(b'\n', b'\r\n') + b'end_header\r\n' + PLY_BODY,
    'mark of UTF-8': b'\xef\xbb\xbf' + PLY_TEXT,
    'UTF-16': PLY_TEXT.decode().encode('utf-16'),
    'big-endian': ply(False, MIXED, '>'),
    'single precision': ply(False, MIXED, kind='f4'),
}


@pytest.mark.parametrize('case', PLY_FILES)
def test_ply(tmp_path: Path, case: str) -> None:
    """Strips, polygons of several sizes, both byte orders, other elements and encodings."""
    assert_covers_cube(read_cloud(write(tmp_path, 'ascii_mesh.ply', PLY_FILES[case])))


@pytest.mark.parametrize('content', [stl_binary(b'solid facet'), stl_binary(b''), stl_ascii().upper()])
def test_stl(tmp_path: Path, content: bytes) -> None:
    """The number of bytes, not the first word, makes a binary file."""
    assert_covers_cube(read_cloud(write(tmp_path, 'ascii.stl', content)))


def test_concave_faces(tmp_path: Path) -> None:
    """Points lie within an L-shaped face and cover its three squares alike."""
    corners = [(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)]
    for turn in range(6):  # whatever corner is the first
        rows = [f'v {x} 5 {y}' for x, y in corners[turn:] + corners[:turn]]
        points = read_cloud(write(tmp_path, 'obj', '\n'.join([*rows, 'f 1 2 3 4 5 6']).encode()))
        cells = np.floor(points[:, [0, 2]]).astype(int) @ [1, 2]
        np.testing.assert_allclose(
            np.bincount(cells, minlength=4) / len(points), [1 / 3, 1 / 3, 1 / 3, 0], atol=0.05
        )


def test_map_coordinates(tmp_path: Path) -> None:
    """A surface far from the origin is sampled as one at the origin, to the digits of float64."""
    offset = np.array([412345.25, 5654321.5, 312])
    rows = ['v {!r} {!r} {!r}'.format(*(corner + offset).tolist()) for corner in CUBE]
    rows += ['f ' + ' '.join(str(corner + 1) for corner in face) for face in QUADS]
    far = read_cloud(write(tmp_path, 'obj', '\n'.join(rows).encode()))
    near = read_cloud(write(tmp_path, 'obj', obj(QUADS)))
    np.testing.assert_allclose(far - offset, near, atol=1e-8)


WRONG = {
    'off: fewer faces': ('off', off().rstrip().rpartition(b'\n')[0], '8 vertices and 9 faces that its header promises'),
    'off: more faces': ('off', off() + b'3 0 1 2\n', '8 vertices and 9 faces that its header promises'),
    'off: fewer vertices': ('off', off().replace(b'8 9 0', b'9 9 0'), 'that its header promises'),
    'off: absurd': ('off', off().replace(b'8 9 0', b'1000000000000 9 0'), 'declares 1000000000000 vertices'),
    'off: index': ('off', off([(0, 1, 8)]), 'refers to vertex 8 .* of 8'),
    'off: negative index': ('off', off([(0, 1, 2), (0, 1, -1)]), 'refers to vertex -1'),
    'off: binary': ('off', b'OFF BINARY\n\0\0', 'no text'),
    'off: no area': ('off', off([(0, 1, 1)]), 'has no surface'),
    'off: NaN': ('off', off().replace(b'1.0', b'nan', 1), 'NaN or infinite coordinate: point 1'),
    'obj: index': ('obj', obj([(0, 1, 8)]), 'refers to vertex 8 .* of 8'),
    'obj: zero': ('obj', obj([(0, 1, -1)]), 'refers to vertex 0 after 8'),
    'obj: too far back': ('obj', b'v 0 0 0\nv 1 0 0\nf -1 -2 -3\nv 0 1 0\n', 'line 3 .*refers to vertex -3 after 2'),
    'obj: two coordinates': ('obj', b'v 1 2\n' + obj(), 'line 1 .a vertex of 2 numbers'),
    'obj: lines joined': ('obj', obj().replace(b'\nv', b' v', 1), 'line 1'),
    'obj: two corners': ('obj', obj([(0, 1)]), 'a face of 2 corners'),
    'obj: unknown': ('obj', b'hello 1\n' + obj(), "line 1 .'hello' is no statement"),
    'obj: curved': ('obj', obj() + b'surf 0 1 0 1 1 2 3 4\n', "'surf' is a free-form surface"),
    'ply: fewer faces': ('ascii_mesh.ply', PLY_TEXT.replace(b'face 9', b'face 12'), 'declares 20 rows'),
    'ply: more faces': ('ascii_mesh.ply', PLY_TEXT.replace(b'face 9', b'face 7'), 'declares 15 rows'),
    'ply: binary, fewer': ('binary_mesh.ply', ply(False, MIXED)[:-7], 'cannot be read as ply .*early end-of-file'),
    'ply: binary, more': ('binary_mesh.ply', ply(False, MIXED) + bytes(30), 'goes on for 30 bytes'),
    'ply: index': ('ascii_mesh.ply', ply(True, [(0, 1, 17)]), 'refers to vertex 17 .* of 8'),
    'ply: binary index': ('binary_mesh.ply', ply(False, [(0, 1, 2), (0, 1, 2, -1)]), 'refers to vertex -1'),
    'ply: strip': ('ascii_mesh.ply', STRIPS % (VERTICES.encode(), b'4 0 1 2 9'), 'refers to vertex 9 .* of 8'),
    'ply: short strip': ('ascii_mesh.ply', STRIPS % (VERTICES.encode(), b'5 0 1 2 -1 3'), 'a triangle strip of 1'),
    'ply: no corners': ('ascii_mesh.ply', PLY_TEXT.replace(b'vertex_indices', b'corners'), r"face with \['corners'\]"),
    'ply: absurd': ('binary_mesh.ply', PLY_TEXT.replace(b'face 9', b'face 9000000000000'), '9000000000000'),
    'stl: fewer': ('binary.stl', stl_binary()[:-50], 'has 11 triangles where its header promises 12'),
    'stl: more': ('binary.stl', stl_binary() + bytes(50), 'has 13 triangles where its header promises 12'),
    'stl: cut': ('ascii.stl', stl_ascii()[:-20], 'ends within a solid'),
    'stl: empty': ('ascii.stl', b'solid a\nendsolid a\n', 'has no triangles'),
    'stl: no numbers': ('ascii.stl', stl_ascii().replace(b'vertex 0.0', b'vertex x', 1), 'vertex that is no numbers'),
}  # fmt: skip


@pytest.mark.parametrize('case', WRONG)
def test_refused_by_name(tmp_path: Path, case: str) -> None:
    """Numbers that do not fit the header, indices outside, no surface, what is no such file."""
    kind, content, message = WRONG[case]
    path = write(tmp_path, kind, content)
    with pytest.raises(DatasetError, match=f"{path.name}' .*{message}"):
        read_cloud(path)


def test_faces_of_a_binary_file_are_all_triangles(tmp_path: Path) -> None:
    """Triangles alone, the usual case, give the same points in text and in binary."""
    first = read_cloud(write(tmp_path, 'binary_mesh.ply', ply(False, TRIANGLES)))
    second = read_cloud(write(tmp_path, 'binary_mesh.ply', ply(True, TRIANGLES)))
    np.testing.assert_array_equal(first, second)
