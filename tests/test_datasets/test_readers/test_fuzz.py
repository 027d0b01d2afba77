"""Damaged files of every format are read in full or refused by name, whatever the damage."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from mutations import mutate
from promises import promised
from sample_files import CLOUDS, MESHES, write

from point_peft.datasets.h5 import read_h5
from point_peft.datasets.readers import read_cloud
from point_peft.datasets.readers.cloud import READERS
from point_peft.datasets.readers.mesh import Mesh
from point_peft.io.errors import DatasetError

FILES = 130
"""Damaged files per kind; 19 kinds make 2470."""


def with_length(content: bytes) -> bytes:
    """A glb file with its length in its header, so that damage is not found by that alone."""
    if not content.startswith(b'glTF') or len(content) < 12:
        return content
    return content[:8] + struct.pack('<I', len(content)) + content[12:]


@pytest.mark.parametrize('kind', [*CLOUDS, *MESHES])
def test_damaged_files(tmp_path: Path, kind: str, log) -> None:
    """A finite cloud of as many points, or a mesh of as many vertices and faces, as the file promises, or an error."""
    rng = np.random.default_rng(zlib.crc32(kind.encode()))
    path = write(tmp_path, kind)
    content = path.read_bytes()
    refused = 0
    for _ in range(FILES):
        damaged = with_length(mutate(content, rng))
        path.write_bytes(damaged)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('error')
                points = read_cloud(path, mesh_points=16)
        except DatasetError as error:
            assert str(path) in str(error) and '\n' not in str(error)
            refused += 1
            continue
        assert points.dtype == np.float64 and points.shape[1:] == (3,) and np.isfinite(points).all()
        found = READERS[path.suffix](path)
        vertices, faces = promised(kind, damaged)
        assert vertices is None or len(found.vertices if isinstance(found, Mesh) else found) == vertices
        assert faces is None or not isinstance(found, Mesh) or len(found.triangles) >= faces
        assert not faces or isinstance(found, Mesh), 'the faces were passed over'
    assert refused


@pytest.mark.parametrize('options', [{}, dict(chunks=(2, 20, 3), compression='gzip', shuffle=True)])
def test_damaged_h5(tmp_path: Path, options: dict) -> None:
    """Clouds with a label each, or an error that names the file."""
    rng = np.random.default_rng(0)
    path = tmp_path / 'a.h5'
    with h5py.File(path, 'w') as file:
        file.create_dataset('data', data=rng.normal(size=(4, 20, 3)), **options)
        file['label'] = np.arange(4)
    content = path.read_bytes()
    refused = 0
    for _ in range(FILES):
        path.write_bytes(mutate(content, rng))
        try:
            clouds = read_h5(path)
        except DatasetError as error:
            assert str(path) in str(error) and '\n' not in str(error)
            refused += 1
            continue
        assert clouds.points.ndim == 3 and clouds.points.shape[2] == 3
        assert len(clouds.labels) == len(clouds.points) and clouds.labels.dtype == np.int64
    assert refused
