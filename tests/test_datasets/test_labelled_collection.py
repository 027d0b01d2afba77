"""Collections with classes and folds."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from point_peft.datasets import LabelledCollection
from point_peft.io.errors import DatasetError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Thirty objects of two classes in three folds."""
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        file['data'] = (rng.standard_normal((30, 16, 3)) * 3000).astype(np.int16)
        file['name'] = np.array([f'object {i}' for i in range(30)], dtype=h5py.string_dtype())
        file['label'] = (np.arange(30) % 2).astype(np.uint8)[:, None]
        file['classes'] = np.array(['bed', 'lamp'], dtype=h5py.string_dtype())
        file['fold'] = (np.arange(30) // 2 % 3).astype(np.uint8)
        file.attrs['up'] = 'z'
    return tmp_path / 'a.h5'


def test_folds_divide_the_objects(path: Path) -> None:
    """The test sets of all folds are all objects, and a fold's training set is the rest."""
    tests = [LabelledCollection(path, fold=fold, split='test') for fold in range(3)]
    sources = [source for dataset in tests for source in dataset.clouds.sources]
    assert sorted(sources) == sorted(set(sources)) and len(sources) == 30
    rest = LabelledCollection(path, fold=0, split='trainval')
    assert set(rest.clouds.sources) == set(sources) - set(tests[0].clouds.sources)
    assert tests[0].classes == ('bed', 'lamp') and tests[0].class_counts() == dict(bed=5, lamp=5)


def test_validation_is_cut_out_of_the_training_files(path: Path) -> None:
    """As in the other datasets."""
    parts = [LabelledCollection(path, fold=1, split=split, val_fraction=0.2) for split in ('train', 'val')]
    assert [len(part) for part in parts] == [16, 4]
    assert not set(parts[0].clouds.sources) & set(parts[1].clouds.sources)


def test_up(path: Path) -> None:
    """Objects can be turned."""
    z_up = LabelledCollection(path, split='test').clouds.points
    y_up = LabelledCollection(path, split='test', up='y').clouds.points
    np.testing.assert_array_equal(np.asarray(y_up), np.asarray(z_up)[..., [1, 2, 0]])


@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        (np.full(30, 0.5), r'a.h5\[0\] object 0 has label 0.5, which is no whole number'),
        (np.zeros(29), 'has 29 labels and 30 folds for 30 objects'),
    ],
)
def test_labels_are_not_cut(path: Path, labels: np.ndarray, message: str) -> None:
    """Neither to whole numbers, nor to as many objects as have one."""
    with h5py.File(path, 'a') as file:
        del file['label']
        file['label'] = labels
    with pytest.raises(DatasetError, match=message):
        LabelledCollection(path)


def test_wrong(path: Path) -> None:
    """A fold that is not there, and a file without labels."""
    with pytest.raises(DatasetError, match='fold=9'):
        LabelledCollection(path, fold=9)
    with h5py.File(path, 'a') as file:
        del file['label']
    with pytest.raises(DatasetError, match="no 'label'"):
        LabelledCollection(path)
