"""A directory of one's own clouds and meshes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmengine.logging import MMLogger

from point_peft.datasets import DatasetError, DatasetNotFoundError, PointCloudFolder
from point_peft.datasets.folder import resample


@pytest.fixture
def flat_root(tmp_path: Path) -> Path:
    """``root/class/*`` with 10 clouds in each of two classes, of different formats and sizes."""
    root = tmp_path / 'clouds'
    rng = np.random.default_rng(0)
    for name in ('cone', 'ball'):
        (root / name).mkdir(parents=True)
        for number in range(10):
            points = rng.standard_normal((40 + number, 3))
            if number % 2:
                np.save(root / name / f'{number}.npy', points)
            else:
                np.savetxt(root / name / f'{number}.xyz', points)
    (root / '.cache').mkdir()
    (root / 'cone' / 'readme.md').write_text('not a cloud')
    return root


def test_undivided(flat_root: Path) -> None:
    """A fifth of each class is the test set; a tenth of the rest is held out."""
    parts = {
        split: PointCloudFolder(flat_root, split=split, num_points=32) for split in ('train', 'val', 'test')
    }
    assert parts['train'].classes == ('ball', 'cone')
    assert {split: dataset.class_counts() for split, dataset in parts.items()} == {
        'train': {'ball': 7, 'cone': 7},
        'val': {'ball': 1, 'cone': 1},
        'test': {'ball': 2, 'cone': 2},
    }
    sources = [source for dataset in parts.values() for source in dataset.clouds.sources]
    assert len(set(sources)) == 20
    item = parts['test'][0]
    assert item['inputs']['points'].shape == (32, 3) and item['inputs']['points'].norm(dim=1).max() < 1 + 1e-6


def test_divided(flat_root: Path, tmp_path: Path) -> None:
    """``root/train/class`` and ``root/test/class``."""
    divided = tmp_path / 'divided'
    divided.mkdir()
    (divided / 'train').symlink_to(flat_root)
    (divided / 'test').symlink_to(flat_root)
    assert len(PointCloudFolder(divided, split='test', num_points=32)) == 20
    assert len(PointCloudFolder(divided, split='train', num_points=32)) == 18


def test_deterministic(flat_root: Path) -> None:
    """The same files give the same clouds, in whatever directory they lie."""
    moved = flat_root.rename(flat_root.with_name('moved'))
    first = PointCloudFolder(moved, split='test', num_points=16)
    moved.rename(flat_root)
    second = PointCloudFolder(flat_root, split='test', num_points=16)
    np.testing.assert_array_equal(first.clouds.points, second.clouds.points)


def test_resample_by_hand() -> None:
    """Fewer points are a subset without repeats; more are all points and repeats; equal are untouched."""
    points = np.arange(30, dtype=np.float32).reshape(10, 3)
    assert resample(points, 10, seed=0) is points
    fewer = resample(points, 4, seed=0)
    assert len({tuple(point) for point in fewer}) == 4
    more = resample(points, 25, seed=0)
    np.testing.assert_array_equal(more[:10], points)
    assert {tuple(point) for point in more} == {tuple(point) for point in points}


def test_one_warning_for_small_clouds(flat_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of small clouds and one of them, once."""
    lines: list[str] = []
    logger = MMLogger.get_instance('test_folder')
    monkeypatch.setattr('point_peft.datasets.folder.print_log', lambda text, **_: lines.append(text))
    dataset = PointCloudFolder(flat_root, split='trainval', num_points=45, normalize=None)
    assert dataset.clouds.points.shape == (16, 45, 3)
    assert len(lines) == 1 and 'fewer than num_points=45' in lines[0], logger.name


def test_unreadable_file_is_named(flat_root: Path) -> None:
    """Of all files, the broken one."""
    (flat_root / 'cone' / '3.npy').write_bytes(b'')
    with pytest.raises(DatasetError, match='cone/3.npy'):
        for split in ('trainval', 'test'):
            PointCloudFolder(flat_root, split=split)


def test_nan_is_named(flat_root: Path) -> None:
    """A NaN coordinate names its file."""
    for number in range(1, 10, 2):
        np.save(flat_root / 'ball' / f'{number}.npy', np.full((50, 3), np.nan))
    with pytest.raises(DatasetError, match=r'ball/\d.npy has a NaN'):
        PointCloudFolder(flat_root, split='trainval', num_points=50)


def test_wrong_directories(flat_root: Path, tmp_path: Path) -> None:
    """Nothing there, no classes, an empty class, a class of the test set that is not trained on."""
    with pytest.raises(DatasetNotFoundError, match='nowhere.*CLASS/FILE'):
        PointCloudFolder(tmp_path / 'nowhere')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DatasetError, match='holds no class directories'):
        PointCloudFolder(tmp_path / 'empty')
    (flat_root / 'disc').mkdir()
    with pytest.raises(DatasetError, match="disc' holds no cloud"):
        PointCloudFolder(flat_root)
    (tmp_path / 'train' / 'ball').mkdir(parents=True)
    (tmp_path / 'test' / 'disc').mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"has the classes \['disc'\]"):
        PointCloudFolder(tmp_path, split='test')
    (tmp_path / 'test' / 'disc').rmdir()
    (tmp_path / 'test').rmdir()
    with pytest.raises(DatasetNotFoundError, match="test' does not exist"):
        PointCloudFolder(tmp_path, split='test')
