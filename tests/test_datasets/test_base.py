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
from point_peft.io.errors import DatasetError


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
        clouds.points = [points[: i + 2] for i, points in enumerate(clouds.points)]
        clouds.parts = None

    dataset = InMemory(uneven, split='test', normalize='unit_sphere')
    assert [len(dataset[i]['inputs']['points']) for i in range(4)] == [2, 3, 4, 5]
    assert dataset[0]['inputs']['points'].tolist() == [[0, -1, 0], [0, 1, 0]]


def _set_label(clouds: Clouds) -> None:
    clouds.labels[2] = 2


def _set_nan(clouds: Clouds) -> None:
    clouds.points[2, 5, 1] = np.nan


def _set_infinite(clouds: Clouds) -> None:
    clouds.points[2, 5, 1] = -np.inf


def _empty_cloud(clouds: Clouds) -> None:
    clouds.points = [points[:0] if i == 2 else points for i, points in enumerate(clouds.points)]


def _enormous(clouds: Clouds) -> None:
    clouds.points[2, 5, 1] = 1e19


def _one_point(clouds: Clouds) -> None:
    clouds.points[2] = [412345.1, 5654321.7, 312.3]


def _far(clouds: Clouds) -> None:
    clouds.points = clouds.points.astype(np.float64) + [412345.25, 5654321.5, 312]


def _fractional_labels(clouds: Clouds) -> None:
    clouds.labels = clouds.labels + np.array([0, 0, 0.5, 0])


def _no_label(clouds: Clouds) -> None:
    clouds.labels = np.where(np.arange(4) == 2, np.nan, 1)


def _text_labels(clouds: Clouds) -> None:
    clouds.labels = np.array(['odd'] * 4)


def _flat(clouds: Clouds) -> None:
    clouds.points = clouds.points[..., :2]


@pytest.mark.parametrize(
    ('edit', 'message'),
    [
        (_set_label, r'test.h5\[2\] has label 2, outside \[0, 2\)'),
        (_set_nan, r'test.h5\[2\] has a NaN or infinite coordinate: point 5'),
        (_set_infinite, r'test.h5\[2\] has a NaN or infinite coordinate: point 5'),
        (_empty_cloud, r'test.h5\[2\] is an empty cloud'),
        (_enormous, r'test.h5\[2\] has a coordinate whose square overflows: point 5'),
        (_one_point, r'test.h5\[2\] has no extent: all of its 8 points are'),
        (_far, r"test.h5\[0\] reaches .* where float32 has steps of 0.5.*set normalize='unit_sphere'"),
        (_fractional_labels, r'test.h5\[2\] has label 0.5, which is no whole number'),
        (_no_label, r'test.h5\[2\] has label nan, which is no whole number'),
        (_text_labels, r"test.h5\[0\] has label .*'odd'.*, which is no number"),
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


def test_whole_labels_of_any_type() -> None:
    """Labels that are whole numbers count, however the file has them."""

    def as_floats(clouds: Clouds) -> None:
        clouds.labels = clouds.labels.astype(np.float32)

    labels = InMemory(as_floats, split='test').labels
    assert labels.dtype == np.int64 and labels.tolist() == [0, 1, 0, 1]


def test_points_that_are_not_used_are_checked() -> None:
    """What lies beyond max_points counts; a crop without extent is refused as well."""
    with pytest.raises(DatasetError, match=r'test.h5\[2\] has a NaN or infinite coordinate: point 5'):
        InMemory(_set_nan, split='test', max_points=3)

    def doubled(clouds: Clouds) -> None:
        clouds.points[2, :3] = clouds.points[2, 0]

    assert len(InMemory(doubled, split='test')) == 4
    with pytest.raises(DatasetError, match=r'test.h5\[2\] has no extent: the 3 points that are used'):
        InMemory(doubled, split='test', max_points=3)


def test_map_coordinates_keep_their_shape() -> None:
    """With an offset of a map, normalised clouds are those without it."""

    def spread(clouds: Clouds) -> None:
        clouds.points = np.random.default_rng(0).random((4, 8, 3))

    def offset(clouds: Clouds) -> None:
        spread(clouds)
        clouds.points += [412345.25, 5654321.5, 312]

    near, far = (InMemory(edit, split='test', normalize='unit_sphere') for edit in (spread, offset))
    assert far.clouds.points.dtype == np.float32
    np.testing.assert_allclose(far.clouds.points, near.clouds.points, atol=1e-6)


def test_bad_settings() -> None:
    """Unknown split, unknown normalisation, a split without objects."""
    with pytest.raises(ValueError, match="split='training'"):
        InMemory(split='training')
    with pytest.raises(ValueError, match="normalize='box'"):
        InMemory(normalize='box')
    with pytest.raises(ValueError, match='max_points=0 must be at least 1'):
        InMemory(max_points=0)
    with pytest.raises(DatasetError, match="split='val' of 'root' is empty with val_fraction=0"):
        InMemory(split='val', val_fraction=0)
