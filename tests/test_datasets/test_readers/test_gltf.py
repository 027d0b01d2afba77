"""Scenes of glTF: transforms, kinds of primitives, packed numbers, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sample_files import CUBE, glb, gltf_tree, write

from point_peft.datasets.readers import read_cloud
from point_peft.io.errors import DatasetError

HALF = 0.5**0.5


def scene(tmp_path: Path, data: bytes | None = None, **changes: object) -> Path:
    """A glb of the scene with some entries changed."""
    tree, default = gltf_tree(**changes)
    return write(tmp_path, 'glb', glb(tree, default if data is None else data))


def extent(points: np.ndarray) -> np.ndarray:
    """Smallest and largest coordinates (2, 3)."""
    return np.stack([points.min(axis=0), points.max(axis=0)]).round(2)


@pytest.mark.parametrize(
    ('nodes', 'expected'),
    [
        ([dict(mesh=0, scale=[2, 3, 4])], [[0, 0, 0], [2, 3, 4]]),
        ([dict(mesh=0, rotation=[0, 0, HALF, HALF])], [[-1, 0, 0], [0, 1, 1]]),
        ([dict(mesh=0, matrix=[0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 5, 6, 7, 1])], [[4, 6, 7], [5, 7, 8]]),
        (
            [
                dict(children=[1, 2], translation=[100, 0, 0], scale=[2, 2, 2]),
                dict(mesh=0),
                dict(children=[3], translation=[4, 0, 0]),
                dict(mesh=0, translation=[0, 1, 0]),
            ],
            [[100, 0, 0], [110, 4, 2]],
        ),
        ([dict(mesh=0), dict(mesh=0, translation=[9, 9, 9])], [[0, 0, 0], [1, 1, 1]]),
    ],
    ids=['scale', 'rotation', 'matrix', 'children', 'node outside the scene'],
)
def test_transforms(tmp_path: Path, nodes: list[dict], expected: list) -> None:
    """Translation, rotation, scale and matrices apply, from the root to the mesh; other scenes are not shown."""
    points = read_cloud(scene(tmp_path, nodes=nodes))
    np.testing.assert_allclose(extent(points), expected, atol=0.02)


def test_transforms_in_double_precision(tmp_path: Path) -> None:
    """A map offset in a node costs no digits."""
    near = read_cloud(scene(tmp_path, nodes=[dict(mesh=0)]))
    far = read_cloud(scene(tmp_path, nodes=[dict(mesh=0, translation=[412345.25, 5654321.5, 312])]))
    np.testing.assert_allclose(far - [412345.25, 5654321.5, 312], near, atol=1e-8)


@pytest.mark.parametrize(('mode', 'corners'), [(5, [0, 1, 2, 3]), (6, [0, 1, 3, 2])])
def test_strips_and_fans(tmp_path: Path, mode: int, corners: list[int]) -> None:
    """One face of the cube as a strip and as a fan: all of it is sampled."""
    tree, _ = gltf_tree(nodes=[dict(mesh=0)])
    tree['meshes'][0]['primitives'][0]['mode'] = mode
    tree['accessors'][1]['count'] = 4
    data = CUBE.astype('<f4').tobytes() + np.array(corners, '<u2').tobytes() + bytes(64)
    points = read_cloud(write(tmp_path, 'glb', glb(tree, data)))
    np.testing.assert_allclose(extent(points), [[0, 0, 0], [0, 1, 1]], atol=0.02)
    assert abs((points[:, 1] > points[:, 2]).mean() - 0.5) < 0.05


def test_points(tmp_path: Path) -> None:
    """A scene of points is a cloud."""
    path = scene(tmp_path, meshes=[dict(primitives=[dict(attributes=dict(POSITION=0), mode=0)])])
    np.testing.assert_array_equal(read_cloud(path), CUBE + [10, 0, 0])


def test_quantised_positions(tmp_path: Path) -> None:
    """Normalised integers become numbers from -1 to 1, as KHR_mesh_quantization says, and strides are followed."""
    tree, data = gltf_tree(
        nodes=[dict(mesh=0, scale=[2, 2, 2])], extensionsRequired=['KHR_mesh_quantization']
    )
    tree['accessors'][0].update(componentType=5122, normalized=True)
    tree['bufferViews'][0]['byteStride'] = 8
    packed = np.zeros((8, 4), '<i2')
    packed[:, :3] = CUBE * 32767
    tree['bufferViews'][0]['byteLength'] = 64
    points = read_cloud(write(tmp_path, 'glb', glb(tree, packed.tobytes() + data[64:])))
    np.testing.assert_allclose(extent(points), [[0, 0, 0], [2, 2, 2]], atol=0.02)


def test_data_beside_the_file(tmp_path: Path) -> None:
    """A gltf may have its data in a file beside it, and nowhere else."""
    tree, data = gltf_tree(nodes=[dict(mesh=0)], buffers=[dict(byteLength=168, uri='my%20data.bin')])
    path = write(tmp_path, 'gltf', json.dumps(tree).encode())
    with pytest.raises(DatasetError, match="file.gltf' refers to 'my%20data.bin', which cannot be opened"):
        read_cloud(path)
    (tmp_path / 'my data.bin').write_bytes(data)
    assert read_cloud(path).shape == (2048, 3)
    for uri in ('../secret.bin', '/dev/zero', 'file:///dev/zero', 'https://example.org/a.bin'):
        tree['buffers'][0]['uri'] = uri
        path.write_text(json.dumps(tree))
        with pytest.raises(
            DatasetError, match=f"file.gltf' refers to '{uri}'; expected data in a file beside it"
        ):
            read_cloud(path)


POSITIONS = dict(bufferView=0, componentType=5126, count=8, type='VEC3')
CORNERS = dict(bufferView=1, componentType=5123, count=36, type='SCALAR')
REFUSED = {
    'packed': (dict(extensionsRequired=['KHR_draco_mesh_compression']), 'needs the glTF extension KHR_draco'),
    'cycle': (dict(nodes=[dict(children=[0])]), 'node 0 below two others'),
    'skeleton': (dict(nodes=[dict(mesh=0, skin=0)]), 'node 0 with a skeleton'),
    'no mesh': (dict(nodes=[dict(mesh=7)]), 'refers to entry 7 of the 1 meshes'),
    'negative entry': (dict(nodes=[dict(mesh=-1)]), 'refers to entry -1 of the 1 meshes'),
    'absurd count': (dict(accessors=[{**POSITIONS, 'count': 10**12}, CORNERS]), 'declares 1000000000000 entries'),
    'absurd zeros': (dict(accessors=[dict(componentType=5126, count=10**12, type='VEC3'), CORNERS]), 'has no data'),
    'more than the data': (dict(accessors=[{**POSITIONS, 'count': 9}, CORNERS]), 'cannot be read as glb'),
    'index outside': (dict(accessors=[{**POSITIONS, 'count': 7}, CORNERS]), 'refers to vertex 7 .* of 7'),
    'half a triangle': (dict(accessors=[POSITIONS, {**CORNERS, 'count': 35}]), 'has 35 corners of triangles'),
    'longer buffer': (dict(buffers=[dict(byteLength=10**12)]), 'buffer 0 has 168 of 1000000000000 bytes'),
    'view outside': (dict(bufferViews=[dict(buffer=0, byteLength=999)] * 2), 'refers to byte 999 of 168'),
    'empty scene': (dict(scenes=[{}]), 'shows no triangles or points'),
    'version': (dict(asset=dict(version='1.0')), "is glTF of version '1.0'"),
}  # fmt: skip


@pytest.mark.parametrize('case', REFUSED)
def test_refused_by_name(tmp_path: Path, case: str) -> None:
    """What cannot be read right, and descriptions that do not fit the data."""
    changes, message = REFUSED[case]
    with pytest.raises(DatasetError, match=f"file.glb' .*{message}"):
        read_cloud(scene(tmp_path, **changes))


@pytest.mark.parametrize(
    'content', [glb()[:-20], glb()[:15], glb() + bytes(8), b'[' * 10000, b'{}', b'[]', b'3']
)
def test_broken_container(tmp_path: Path, content: bytes) -> None:
    """A cut, a longer, and no container."""
    with pytest.raises(DatasetError, match="file.glb' "):
        read_cloud(write(tmp_path, 'glb', content))
