"""Making a collection from a folder of meshes."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

from point_peft.datasets import PointCollection
from point_peft.io.errors import DatasetError, DatasetNotFoundError


@pytest.fixture
def tool(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    """The tool as a module."""
    return load_tool('dataset_converters/collect_meshes.py')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A post along y, as a cloud, and a triangle mesh."""
    rng = np.random.default_rng(0)
    root = tmp_path / 'meshes'
    (root / 'posts').mkdir(parents=True)
    np.savetxt(root / 'posts' / 'tallPost.xyz', rng.random((2500, 3)) * [0.1, 3.0, 0.1] + 100)
    (root / 'wedge.off').write_text(
        'OFF\n4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 1 3\n3 0 2 3\n3 1 2 3\n'
    )
    return root


def arguments(folder: Path, out: Path, **changes: Any) -> argparse.Namespace:
    """Arguments of the tool."""
    given = dict(
        folder=folder, out=out, up='y', source=None, licence='CC0-1.0', licence_class=0, append=False
    )
    return argparse.Namespace(**{**given, **changes})


def test_round_trip(tool: ModuleType, folder: Path, tmp_path: Path) -> None:
    """What pre-training reads: z up, unit sphere, names, the record of the licence."""
    out = tmp_path / 'new' / 'own.h5'
    tool.main(arguments(folder, out))
    dataset = PointCollection(out, num_words=4)
    assert dataset.names == ('posts/tallPost.xyz', 'wedge.off')
    assert 'post' in dataset.words
    post = dataset.points[0].astype(float)
    assert np.ptp(post[:, 2]) > 10 * np.ptp(post[:, 0])  # it stands
    assert np.linalg.norm(post, axis=1).max() == pytest.approx(1, abs=2e-3)
    with h5py.File(out) as file:
        assert file['data'].dtype == np.int16 and file['data'].shape == (2, 2048, 3)
        assert file['licence'].asstr()[0] == 'CC0-1.0' and file['source'].asstr()[1] == 'meshes'
    assert not list(out.parent.glob('*.partial'))


def test_append(tool: ModuleType, folder: Path, tmp_path: Path) -> None:
    """Objects of another source and licence come behind those that are there, and can be left out again."""
    out = tmp_path / 'own.h5'
    tool.main(arguments(folder, out))
    with pytest.raises(DatasetError, match='exists'):
        tool.main(arguments(folder, out))
    tool.main(arguments(folder, out, append=True, licence='GPL', licence_class=2, source='elsewhere'))
    assert len(PointCollection(out)) == 4
    assert PointCollection(out, licence_classes=(2,)).names == ('posts/tallPost.xyz', 'wedge.off')
    with h5py.File(out, 'a') as file:
        file.attrs['up'] = 'y'
    with pytest.raises(DatasetError, match="up='y'"):
        tool.main(arguments(folder, out, append=True))


def test_no_folder(tool: ModuleType, tmp_path: Path) -> None:
    """A folder that is not there."""
    with pytest.raises(DatasetNotFoundError, match='no folder'):
        tool.main(arguments(tmp_path / 'none', tmp_path / 'out.h5'))
