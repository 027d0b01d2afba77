"""The dataset base class, by a dataset in memory."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from point_peft.datasets.base import PointCloudDataset
from point_peft.datasets.clouds import Clouds
from point_peft.datasets.errors import DatasetError


class InMemory(PointCloudDataset):
    """20 train objects of two classes and 4 test objects, of 8 points; ``edit`` changes what is loaded."""

    classes = ('even', 'odd')

    def __init__(self, edit=None, **kwargs) -> None:
        self.edit = edit
        super().__init__('root', **kwargs)

    def load(self, subset: str) -> Clouds:
        """Point p of object i has the coordinates (i, p, 0)."""
        count = 20 if subset == 'train' else 4
        points = np.zeros((count, 8, 3), dtype=np.float32)
        points[..., 0], points[..., 1] = np.arange(count)[:, None], np.arange(8)
        clouds = Clouds(
            points=points,
            labels=np.arange(count) % 2,
            parts=np.tile(np.arange(8), (count, 1)),
            sources=[f'{subset}.h5[{i}]' for i in range(count)],
        )
        if self.edit is not None:
            self.edit(clouds)
        return clouds


def test_item() -> None:
    """An item has points, label, parts, position and source."""
    item = InMemory(split='test', max_points=3)[3]
    assert item['inputs']['points'].tolist() == [[3, 0, 0], [3, 1, 0], [3, 2, 0]]
    sample = item['data_samples']
    assert sample.gt_label.dtype == torch.int64 and sample.gt_label.shape == () and sample.gt_label == 1
    assert sample.gt_part.tolist() == [0, 1, 2]
    assert (sample.sample_idx, sample.source) == (3, 'test.h5[3]')


def test_splits_partition_the_train_file() -> None:
    """The sets train and val are disjoint and together trainval; the same seed holds out the same objects."""
    sources = {split: InMemory(split=split).clouds.sources for split in ('train', 'val', 'trainval', 'test')}
    assert sorted(sources['train'] + sources['val']) == sorted(sources['trainval'])
    assert len(sources['val']) == 2 and len(sources['trainval']) == 20
    assert not set(sources['test']) & set(sources['trainval'])
    assert InMemory(split='val').class_counts() == {'even': 1, 'odd': 1}
    assert InMemory(split='val').clouds.sources == sources['val']
    assert InMemory(split='val', split_seed=1).clouds.sources != sources['val']


def test_metainfo() -> None:
    """Class names and dataset name."""
    assert InMemory().metainfo == dict(classes=('even', 'odd'), dataset='InMemory')


def test_items_are_copies() -> None:
    """Changing an item in place leaves the dataset as it was."""
    dataset = InMemory(split='test')
    dataset[1]['inputs']['points'].fill_(9)
    assert dataset[1]['inputs']['points'][0].tolist() == [1, 0, 0]


@pytest.mark.parametrize('num_workers', [0, 1])
def test_in_a_loader(num_workers: int) -> None:
    """Batches hold lists, from the main process as from a worker."""
    loader = DataLoader(
        InMemory(split='test'), batch_size=4, collate_fn=pseudo_collate, num_workers=num_workers
    )
    batch = next(iter(loader))
    assert [points[0, 0].item() for points in batch['inputs']['points']] == [0, 1, 2, 3]
    assert [sample.sample_idx for sample in batch['data_samples']] == [0, 1, 2, 3]


def test_survives_pickling() -> None:
    """Worker processes that are spawned get the same objects."""
    dataset = InMemory(split='val')
    assert pickle.loads(pickle.dumps(dataset)).clouds.sources == dataset.clouds.sources


def test_clouds_of_different_sizes() -> None:
    """A list of clouds is kept as it is."""

    def uneven(clouds: Clouds) -> None:
        clouds.points = [points[: i + 1] for i, points in enumerate(clouds.points)]
        clouds.parts = None

    dataset = InMemory(uneven, split='test', normalize='unit_sphere')
    assert [len(dataset[i]['inputs']['points']) for i in range(4)] == [1, 2, 3, 4]
    assert dataset[1]['inputs']['points'].tolist() == [[0, -1, 0], [0, 1, 0]]


def _set_label(clouds: Clouds) -> None:
    clouds.labels[2] = 2


def _set_nan(clouds: Clouds) -> None:
    clouds.points[2, 5, 1] = np.nan


def _set_infinite(clouds: Clouds) -> None:
    clouds.points[2, 5, 1] = -np.inf


def _empty_cloud(clouds: Clouds) -> None:
    clouds.points = [points[:0] if i == 2 else points for i, points in enumerate(clouds.points)]


def _flat(clouds: Clouds) -> None:
    clouds.points = clouds.points[..., :2]


@pytest.mark.parametrize(
    ('edit', 'message'),
    [
        (_set_label, r'test.h5\[2\] has label 2, outside \[0, 2\)'),
        (_set_nan, r'test.h5\[2\] has a NaN or infinite coordinate: point 5'),
        (_set_infinite, r'test.h5\[2\] has a NaN or infinite coordinate: point 5'),
        (_empty_cloud, r'test.h5\[2\] is an empty cloud'),
        (_flat, r'test.h5\[0\] has shape \(8, 2\)'),
    ],
)
def test_bad_content_is_named(edit, message: str) -> None:
    """What is wrong, in which object of which file."""
    with pytest.raises(DatasetError, match=message):
        InMemory(edit, split='test')


def test_negative_label() -> None:
    """A label below zero, as some files use for unlabelled objects, is refused as well."""

    def negative(clouds: Clouds) -> None:
        clouds.labels[0] = -1

    with pytest.raises(DatasetError, match='has label -1'):
        InMemory(negative, split='test')


def test_bad_settings() -> None:
    """Unknown split, unknown normalisation, a split without objects."""
    with pytest.raises(ValueError, match="split='training'"):
        InMemory(split='training')
    with pytest.raises(ValueError, match="normalize='box'"):
        InMemory(normalize='box')
    with pytest.raises(DatasetError, match="split='val' of 'root' is empty with val_fraction=0"):
        InMemory(split='val', val_fraction=0)
