"""Collections of objects without classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from point_peft.datasets import JoinedDatasets, PointCollection
from point_peft.datasets.collection_words import frequent_words, words_of
from point_peft.datasets.preparation import Preparation
from point_peft.io.errors import DatasetError, DatasetNotFoundError

NAMES = [
    'Kitchen | beerBottle_02.obj',
    'Kitchen | Glass',
    'Vehicles/Old Bus.fbx',
    "bottle | {'name': 'Somebody'}",
]


def write(path: Path, points: np.ndarray, *, up: str | None = 'z', **fields: Any) -> Path:
    """A collection file."""
    with h5py.File(path, 'w') as file:
        file['data'] = points
        file['name'] = np.array(fields.pop('name', NAMES), dtype=h5py.string_dtype())
        for name, values in fields.items():
            file[name] = values
        if up is not None:
            file.attrs['up'] = up
    return path


@pytest.fixture
def points() -> np.ndarray:
    """Four clouds of 50 points."""
    return np.random.default_rng(0).standard_normal((4, 50, 3))


def sorted_rows(cloud: torch.Tensor) -> np.ndarray:
    """Points in an order that does not depend on the draw."""
    rows = cloud.numpy()
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize('kind', ['int16', 'float32', 'float64'])
def test_number_types(points: np.ndarray, kind: str, tmp_path: Path) -> None:
    """Integers and floats of any unit give the same clouds within the unit sphere, to the precision of int16."""
    scaled = points / np.abs(points).max()
    stored = np.round(scaled * 32767).astype(np.int16) if kind == 'int16' else (7 * scaled).astype(kind)
    dataset = PointCollection(write(tmp_path / 'a.h5', stored), num_points=50)
    expected = points[1] - points[1].mean(axis=0)
    expected /= np.linalg.norm(expected, axis=1).max()
    order = np.lexsort(sorted_rows(dataset[1]['inputs']['points']).T)
    got = sorted_rows(dataset[1]['inputs']['points'])[order]
    np.testing.assert_allclose(np.sort(got, axis=0), np.sort(expected, axis=0), atol=2e-3)


def test_another_choice_of_points_at_every_access(points: np.ndarray, tmp_path: Path) -> None:
    """By torch's generator, so a seeded epoch repeats."""
    dataset = PointCollection(write(tmp_path / 'a.h5', points), num_points=20)
    torch.manual_seed(1)
    first, second = dataset[0]['inputs']['points'], dataset[0]['inputs']['points']
    torch.manual_seed(1)
    assert torch.equal(dataset[0]['inputs']['points'], first)
    assert first.shape == (20, 3) and not torch.equal(first, second)
    assert len(np.unique(first.numpy(), axis=0)) == 20  # no point twice


def test_up(points: np.ndarray, tmp_path: Path) -> None:
    """The file's word is taken, can be overruled, and is needed."""
    path = write(tmp_path / 'a.h5', points, up='y')
    kept = PointCollection(path, num_points=50, up='y').points
    turned = PointCollection(path, num_points=50, up='z').points
    np.testing.assert_array_equal(turned, kept[..., [2, 0, 1]])
    np.testing.assert_array_equal(PointCollection(path, num_points=50, source_up='z').points, kept)
    silent = write(tmp_path / 'b.h5', points, up=None)
    with pytest.raises(DatasetError, match='which axis points up'):
        PointCollection(silent, num_points=50)
    wrong = write(tmp_path / 'c.h5', points, up='up')
    with pytest.raises(ValueError, match="up='up'"):
        PointCollection(wrong, num_points=50)


def test_licences(points: np.ndarray, tmp_path: Path) -> None:
    """Only objects of the wanted licences; a file without the field cannot promise that."""
    path = write(tmp_path / 'a.h5', points, licence_class=np.array([0, 2, 0, 1], dtype=np.uint8))
    assert PointCollection(path, num_points=50, licence_classes=(0,)).names == (NAMES[0], NAMES[2])
    with pytest.raises(DatasetError, match='holds no object'):
        PointCollection(path, num_points=50, licence_classes=(7,))
    with pytest.raises(DatasetError, match='licence_class'):
        PointCollection(write(tmp_path / 'b.h5', points), num_points=50, licence_classes=(0,))


def test_words(points: np.ndarray, tmp_path: Path) -> None:
    """The most frequent words are told by their number; authors and file types are none."""
    dataset = PointCollection(write(tmp_path / 'a.h5', points), num_points=50, num_words=2)
    assert dataset.words == ('bottle', 'kitchen')
    told = [dataset[i]['data_samples'].gt_words.tolist() for i in range(4)]
    assert told == [[0, 1], [1], [], [0]]


def test_words_of_names() -> None:
    """Camel case, digits, plurals."""
    assert words_of('Kitchen | beerBottles_02.obj') == ['beer', 'bottle', 'kitchen']
    assert words_of('bus/glass/Chairs') == ['bus', 'chair', 'glass']
    assert words_of('a 12 ö.stl') == []
    assert frequent_words(['cup', 'mug', 'mug cup'], 5) == ('cup', 'mug')


def test_folder(tmp_path: Path) -> None:
    """Every cloud and mesh below a folder, by its path; the axis must be said."""
    rng = np.random.default_rng(0)
    (tmp_path / 'tools').mkdir()
    np.savetxt(tmp_path / 'tools' / 'hammer.xyz', rng.standard_normal((3000, 3)))
    (tmp_path / 'cube.off').write_text(
        'OFF\n4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 1 3\n3 0 2 3\n3 1 2 3\n'
    )
    (tmp_path / 'readme.md').write_text('not a cloud')
    dataset = PointCollection(tmp_path, source_up='z', num_points=1024, num_words=3)
    assert dataset.names == ('cube.off', 'tools/hammer.xyz')
    assert dataset[1]['inputs']['points'].shape == (1024, 3)
    assert dataset.words == ('cube', 'hammer', 'off')[: len(dataset.words)] or 'hammer' in dataset.words
    with pytest.raises(DatasetError, match='source_up'):
        PointCollection(tmp_path)


def test_folder_of_another_name(tmp_path: Path) -> None:
    """Objects have the same points, those that lie in the folder itself too; equal files of other names have others."""
    cloud = np.random.default_rng(0).standard_normal((3000, 3))
    mesh = 'OFF\n4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 1 3\n3 0 2 3\n3 1 2 3\n'
    found = []
    for root in (tmp_path / 'a', tmp_path / 'b'):
        (root / 'tools').mkdir(parents=True)
        for place in ('hammer.npy', 'saw.npy', 'tools/hammer.npy'):
            np.save(root / place, cloud)
        for place in ('cube.off', 'tools/cube.off'):
            (root / place).write_text(mesh)
        found.append(PointCollection(root, source_up='z', num_words=3))
    assert found[0].names == found[1].names and np.array_equal(found[0].points, found[1].points)
    assert len({points.tobytes() for points in found[0].points}) == 5
    path = tmp_path / 'a' / 'tools' / 'hammer.npy'  # as read by itself
    alone = Preparation(normalize='unit_sphere', num_points=2048).read(path)
    assert np.array_equal(found[0].points[found[0].names.index('tools/hammer.npy')], alone.astype(np.float16))


def test_damaged(points: np.ndarray, tmp_path: Path) -> None:
    """Missing, truncated, without a field, NaN, too few points: each is said."""
    with pytest.raises(DatasetNotFoundError, match='collection not found'):
        PointCollection(tmp_path / 'none.h5')
    (tmp_path / 'cut.h5').write_bytes(write(tmp_path / 'a.h5', points).read_bytes()[:300])
    with pytest.raises(DatasetError, match=r'cut\.h5'):
        PointCollection(tmp_path / 'cut.h5')
    with h5py.File(tmp_path / 'bare.h5', 'w') as file:
        file['data'] = points
    with pytest.raises(DatasetError, match="no array 'name'"):
        PointCollection(tmp_path / 'bare.h5')
    with pytest.raises(DatasetError, match='3 values of'):
        PointCollection(write(tmp_path / 'short.h5', points, name=NAMES[:3]))
    with pytest.raises(DatasetError, match='50 points'):
        PointCollection(tmp_path / 'a.h5', num_points=51)
    points[2, 3, 1] = np.nan
    with pytest.raises(DatasetError, match='Old Bus'):
        PointCollection(write(tmp_path / 'nan.h5', points), num_points=50)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DatasetError, match='no mesh or cloud'):
        PointCollection(tmp_path / 'empty', source_up='z')


def test_joined(points: np.ndarray, tmp_path: Path) -> None:
    """Objects of both, one after another, each with what its dataset knows."""
    joined = JoinedDatasets(
        [
            dict(type='ProceduralVariety', num_samples=3, num_points=50),
            dict(
                type='PointCollection', data_root=write(tmp_path / 'a.h5', points), num_points=50, num_words=2
            ),
        ]
    )
    assert len(joined) == 7
    assert 'gt_part' in joined[2]['data_samples'] and 'gt_words' not in joined[2]['data_samples']
    assert 'gt_words' in joined[3]['data_samples'] and 'gt_label' not in joined[3]['data_samples']
    assert joined.metainfo['words'] == ('bottle', 'kitchen') and len(joined.metainfo['classes']) == 67
