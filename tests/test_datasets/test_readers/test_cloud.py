"""Readers of single clouds and meshes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from plyfile import PlyData, PlyElement

from point_peft.datasets.readers import SUFFIXES, read_cloud
from point_peft.io.errors import DatasetError

POINTS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.5]], dtype=np.float32)
"""Vertices of the clouds and of the tetrahedron below."""

FACES = [(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)]


def write_ply(path: Path, *, text: bool, faces: bool) -> None:
    """The vertices, and the faces if asked for."""
    vertex = np.array([tuple(point) for point in POINTS], dtype=[('x', 'f4'), ('y', 'f4'), ('z', 'f4')])
    elements = [PlyElement.describe(vertex, 'vertex')]
    if faces:
        face = np.array([(list(corners),) for corners in FACES], dtype=[('vertex_indices', 'i4', (3,))])
        elements.append(PlyElement.describe(face, 'face'))
    PlyData(elements, text=text).write(str(path))


def write_off(path: Path) -> None:
    """The tetrahedron as OFF."""
    rows = [f'{x} {y} {z}' for x, y, z in POINTS] + [f'3 {a} {b} {c}' for a, b, c in FACES]
    path.write_text('OFF\n4 4 0\n' + '\n'.join(rows) + '\n')


def write_obj(path: Path) -> None:
    """The tetrahedron as OBJ, which counts from one."""
    rows = [f'v {x} {y} {z}' for x, y, z in POINTS] + [f'f {a + 1} {b + 1} {c + 1}' for a, b, c in FACES]
    path.write_text('\n'.join(rows) + '\n')


@pytest.mark.parametrize(
    'name', ['comma.txt', 'space.txt', 'cloud.xyz', 'normals.XYZ', 'cloud.npy', 'ascii.ply', 'binary.ply']
)
def test_clouds(tmp_path: Path, name: str) -> None:
    """Every format gives the coordinates in their order."""
    path = tmp_path / name
    if path.suffix == '.npy':
        np.save(path, POINTS.astype(np.float64))
    elif path.suffix == '.ply':
        write_ply(path, text=name.startswith('ascii'), faces=False)
    else:
        table = np.hstack([POINTS, POINTS]) if name.startswith('normals') else POINTS
        np.savetxt(path, table, delimiter=',' if name.startswith('comma') else ' ', header='x y z')
    result = read_cloud(path)
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, POINTS)


@pytest.mark.parametrize('name', ['mesh.off', 'mesh.obj', 'mesh.ply'])
def test_meshes_are_sampled_on_their_surface(tmp_path: Path, name: str) -> None:
    """Points lie on the faces of the tetrahedron, in proportion to their area, and are the same each time."""
    path = tmp_path / name
    {'.off': write_off, '.obj': write_obj, '.ply': lambda p: write_ply(p, text=False, faces=True)}[
        path.suffix
    ](path)
    points = read_cloud(path, mesh_points=4000)
    assert points.shape == (4000, 3)
    np.testing.assert_array_equal(points, read_cloud(path, mesh_points=4000))
    on_base = np.abs(points[:, 2]) < 1e-6
    slope = points[:, 0] + points[:, 1] + points[:, 2] / 1.5 - 1
    on_face = on_base | (np.abs(points[:, 0]) < 1e-6) | (np.abs(points[:, 1]) < 1e-6) | (np.abs(slope) < 1e-6)
    assert on_face.all()
    normal = np.cross(POINTS[2] - POINTS[1], POINTS[3] - POINTS[1])
    areas = np.array([0.5, 0.75, 0.75, np.linalg.norm(normal) / 2])
    assert abs(on_base.mean() - areas[0] / areas.sum()) < 0.03


def test_files_of_other_names_are_sampled_otherwise(tmp_path: Path) -> None:
    """The seed comes from the name, so copies do not all get the same points."""
    write_off(tmp_path / 'a.off')
    write_off(tmp_path / 'b.off')
    assert not np.array_equal(read_cloud(tmp_path / 'a.off'), read_cloud(tmp_path / 'b.off'))


@pytest.mark.parametrize('suffix', SUFFIXES)
@pytest.mark.parametrize('content', [b'', b'\x00\xff\xfe garbage \x80\n\n'])
def test_garbage_is_named(tmp_path: Path, suffix: str, content: bytes) -> None:
    """An empty file and garbage, in every format."""
    path = tmp_path / f'broken{suffix}'
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=f"broken{suffix}'"):
        read_cloud(path)


def test_pickle_is_refused(tmp_path: Path) -> None:
    """An npy file of objects is not unpickled."""
    np.save(tmp_path / 'objects.npy', np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(DatasetError, match="objects.npy' is not a plain npy array"):
        read_cloud(tmp_path / 'objects.npy')


@pytest.mark.parametrize(
    'array',
    [np.zeros((0, 3)), np.zeros((5, 2)), np.zeros(3), np.zeros((2, 5, 3)), np.array([['a', 'b', 'c']])],
)
def test_wrong_arrays(tmp_path: Path, array: np.ndarray) -> None:
    """Empty, two columns, one or three axes, text."""
    np.save(tmp_path / 'array.npy', array)
    with pytest.raises(DatasetError, match="array.npy'"):
        read_cloud(tmp_path / 'array.npy')


def test_unknown_format(tmp_path: Path) -> None:
    """The known suffixes are listed."""
    with pytest.raises(DatasetError, match=r"cloud.e57' has an unknown format; expected one of .glb, .gltf"):
        read_cloud(tmp_path / 'cloud.e57')
