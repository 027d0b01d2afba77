"""ModelNet in both published layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from point_peft.datasets import ModelNet
from point_peft.io.errors import DatasetError, DatasetNotFoundError

REAL = Path(__file__).resolve().parents[2].parent / 'shared' / 'data' / 'ModelNet10'


def test_h5_layout(modelnet_h5_root: Path, clouds) -> None:
    """Both train files, by their names only; coordinates as in the file."""
    dataset = ModelNet(modelnet_h5_root, num_classes=10, split='trainval')
    assert len(dataset) == 60 and dataset.metainfo['dataset'] == 'ModelNet10'
    assert dataset.classes[3] == 'class_3'
    np.testing.assert_array_equal(dataset[31]['inputs']['points'].numpy(), clouds(30, 16)[1] + 1)
    assert dataset[31]['data_samples'].gt_label == 1
    assert len(ModelNet(modelnet_h5_root, num_classes=10, split='test')) == 10


def test_txt_layout(modelnet_txt_root: Path) -> None:
    """The class comes from the name, also where it has an underscore; clouds are normalised."""
    dataset = ModelNet(modelnet_txt_root, num_classes=10, split='test')
    assert len(dataset) == 10 and dataset.classes[:2] == ('bathtub', 'night_stand')
    item = dataset[1]
    assert item['data_samples'].gt_label == 1
    assert item['data_samples'].source.endswith('night_stand/night_stand_0003.txt')
    points = np.loadtxt(modelnet_txt_root / 'night_stand' / 'night_stand_0003.txt', delimiter=',')[:, :3]
    points -= points.mean(axis=0)
    points /= np.linalg.norm(points, axis=1).max()
    np.testing.assert_allclose(item['inputs']['points'].numpy(), points, atol=1e-5)


def test_txt_cache(modelnet_txt_root: Path) -> None:
    """The second reading takes the cache and gives the same; a changed file is read again."""
    first = ModelNet(modelnet_txt_root, num_classes=10, split='trainval', max_points=8)
    assert len(list((modelnet_txt_root / '.cache').glob('*.npz'))) == 1
    second = ModelNet(modelnet_txt_root, num_classes=10, split='trainval', max_points=8)
    np.testing.assert_array_equal(first.clouds.points, second.clouds.points)
    assert first.clouds.points.shape == (20, 8, 3)
    (modelnet_txt_root / 'bathtub' / 'bathtub_0001.txt').write_text('0,0,0,0,0,0\n' * 7 + '1,0,0,0,0,0\n')
    changed = ModelNet(modelnet_txt_root, num_classes=10, split='trainval', max_points=8)
    assert changed.clouds.points[0, -1].tolist() == [1, 0, 0]


def test_layouts_need_their_files(tmp_path: Path) -> None:
    """A missing root, an empty root and a listed file that is missing, each by its path."""
    with pytest.raises(
        DatasetNotFoundError, match="ModelNet40 not found: '.*nowhere'.*https://.*pointmae_mini_shapes"
    ):
        ModelNet(tmp_path / 'nowhere')
    with pytest.raises(DatasetNotFoundError, match='modelnet40_shape_names.txt'):
        ModelNet(tmp_path)


def test_missing_h5(modelnet_h5_root: Path) -> None:
    """A listed h5 file that is missing is named."""
    (modelnet_h5_root / 'ply_data_train1.h5').unlink()
    with pytest.raises(DatasetNotFoundError, match='ply_data_train1.h5'):
        ModelNet(modelnet_h5_root, num_classes=10)


def test_missing_txt(modelnet_txt_root: Path) -> None:
    """A listed object that is missing is named."""
    (modelnet_txt_root / 'bathtub' / 'bathtub_0003.txt').unlink()
    with pytest.raises(DatasetNotFoundError, match='bathtub_0003.txt'):
        ModelNet(modelnet_txt_root, num_classes=10, split='test')


def test_unknown_class_in_a_list(modelnet_txt_root: Path) -> None:
    """An object whose class is not among the names is named."""
    (modelnet_txt_root / 'modelnet10_test.txt').write_text('teapot_0001\n')
    with pytest.raises(DatasetError, match="object 'teapot_0001' is of no known class"):
        ModelNet(modelnet_txt_root, num_classes=10, split='test')


def test_malformed_txt(modelnet_txt_root: Path) -> None:
    """A file that is no table is named."""
    (modelnet_txt_root / 'bathtub' / 'bathtub_0003.txt').write_text('1,2,3\nx,y,z\n')
    with pytest.raises(DatasetError, match="bathtub_0003.txt' is not a table of numbers"):
        ModelNet(modelnet_txt_root, num_classes=10, split='test')


def test_number_of_classes(modelnet_h5_root: Path) -> None:
    """The number of names must be the number asked for."""
    with pytest.raises(DatasetError, match='lists 10 classes, but num_classes=40; set num_classes=10'):
        ModelNet(modelnet_h5_root)


def test_nan_is_named(modelnet_h5_root: Path, write_h5, clouds) -> None:
    """A NaN point names file and index."""
    data = clouds(10, 16)
    data[7, 3, 0] = np.nan
    write_h5(modelnet_h5_root / 'ply_data_test0.h5', data, np.zeros((10, 1)))
    with pytest.raises(
        DatasetError, match=r'ply_data_test0.h5\[7\] has a NaN or infinite coordinate: point 3'
    ):
        ModelNet(modelnet_h5_root, num_classes=10, split='test')


@pytest.mark.skipif(not REAL.exists(), reason='the real ModelNet10 is not here')
def test_real_modelnet10() -> None:
    """The real files: 3991 train and 908 test objects, split 90 : 10 in every class."""
    sizes = {
        split: len(ModelNet(REAL, num_classes=10, split=split))
        for split in ('train', 'val', 'trainval', 'test')
    }
    assert sizes['trainval'] == 3991 and sizes['test'] == 908
    assert sizes['train'] + sizes['val'] == 3991
    whole = ModelNet(REAL, num_classes=10, split='trainval').class_counts()
    held_out = ModelNet(REAL, num_classes=10, split='val').class_counts()
    assert all(held_out[name] == round(count / 10) for name, count in whole.items())
    points = ModelNet(REAL, num_classes=10, split='test')[0]['inputs']['points']
    assert points.shape == (1024, 3) and points.norm(dim=1).max() < 1.01
