"""A directory of one's own clouds and meshes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from point_peft.datasets import PointCloudFolder
from point_peft.datasets.draw import resample
from point_peft.datasets.folder import ListedFolder
from point_peft.datasets.splits import SPLITS
from point_peft.io.errors import DatasetError, InvalidValueError


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
    """About a fifth of each class is the test set; about a tenth of the rest is held out; each has some of both."""
    parts = {
        split: PointCloudFolder(flat_root, split=split, num_points=32) for split in ('train', 'val', 'test')
    }
    assert parts['train'].classes == ('ball', 'cone')
    for split, low, high in (('train', 5, 8), ('val', 1, 3), ('test', 1, 4)):
        counts = parts[split].class_counts()
        assert all(low <= counts[name] <= high for name in ('ball', 'cone')), (split, counts)
    sources = [source for dataset in parts.values() for source in dataset.clouds.sources]
    assert len(sources) == len(set(sources)) == 20
    item = parts['test'][0]
    assert item['inputs']['points'].shape == (32, 3) and item['inputs']['points'].norm(dim=1).max() < 1 + 1e-6


def test_folds(flat_root: Path) -> None:
    """Every object is tested in one fold and trained on or validated with in the others; folds are of one size."""
    (flat_root / 'ball' / '1.ply').write_text('')  # goes where 1.npy goes; nobody reads it here
    tested = []
    for fold in range(3):
        parts = {
            split: ListedFolder(flat_root, split=split, folds=3, fold=fold)
            for split in ('train', 'val', 'test')
        }
        sources = [source for part in parts.values() for source in part.clouds.sources]
        assert len(set(sources)) == len(sources) == 21
        assert all(3 <= count <= 5 for count in parts['test'].class_counts().values())
        assert all(parts['val'].class_counts().values())
        stems = [Path(source).with_suffix('') for source in parts['test'].clouds.sources]
        assert stems.count(flat_root / 'ball' / '1') in (0, 2)
        tested += parts['test'].clouds.sources
    assert len(set(tested)) == len(tested) == 21


def test_folds_refused(flat_root: Path, tmp_path: Path) -> None:
    """Of a divided directory, of a class with one object, and folds that are none."""
    with pytest.raises(InvalidValueError, match='fold 3 of 3 does not exist'):
        ListedFolder(flat_root, folds=3, fold=3)
    (flat_root / 'one').mkdir()
    (flat_root / 'one' / '1.npy').touch()
    with pytest.raises(DatasetError, match="one' holds a single object"):
        ListedFolder(flat_root, folds=3)
    for split in ('train', 'test'):
        (tmp_path / 'divided' / split / 'a').mkdir(parents=True)
        (tmp_path / 'divided' / split / 'a' / '1.npy').touch()
    with pytest.raises(DatasetError, match='has train and test, so it is divided already'):
        ListedFolder(tmp_path / 'divided', folds=3)


def test_split_by_name(flat_root: Path) -> None:
    """Files that are added move none of the others, in whatever format and however many; a seed moves them."""

    for name in ('ball', 'cone'):
        for number in range(10, 30):
            np.save(flat_root / name / f'{number}.npy', np.random.default_rng(number).random((9, 3)))

    def sides(**settings: int) -> dict[str, str]:
        return {
            source: split
            for split in ('train', 'val', 'test')
            for source in PointCloudFolder(flat_root, split=split, num_points=8, **settings).clouds.sources
        }

    before = sides()
    assert sides(split_seed=1) != before
    for name in ('ball', 'cone'):
        for new in ('aaa', '007b', '30', '31', 'zzz', 'new 1', 'new 2'):
            np.save(flat_root / name / f'{new}.npy', np.random.default_rng(len(new)).random((9, 3)))
    after = sides()
    assert len(after) == 74 and {source: after[source] for source in before} == before
    counts = Counter(before.values())
    assert 9 <= counts['test'] <= 15 and 3 <= counts['val'] <= 7
    (flat_root / 'ball' / '0.xyz').rename(flat_root / 'ball' / '0.TXT')
    assert sides()[str(flat_root / 'ball' / '0.TXT')] == before[str(flat_root / 'ball' / '0.xyz')]


def test_divided(flat_root: Path, tmp_path: Path) -> None:
    """``root/train/class`` and ``root/test/class``."""
    divided = tmp_path / 'divided'
    divided.mkdir()
    (divided / 'train').symlink_to(flat_root)
    (divided / 'test').symlink_to(flat_root)
    assert len(PointCloudFolder(divided, split='test', num_points=32)) == 20
    train, val = (PointCloudFolder(divided, split=split, num_points=32) for split in ('train', 'val'))
    assert len(train) + len(val) == 20 and 2 <= len(val) <= 6
    (divided / 'val').mkdir()
    for name in ('ball', 'cone'):
        (divided / 'val' / name).mkdir()
        np.save(divided / 'val' / name / '0.npy', np.random.default_rng(0).random((50, 3)))
    sizes = {split: len(PointCloudFolder(divided, split=split, num_points=32)) for split in SPLITS}
    assert sizes == dict(train=20, val=2, trainval=22, test=20)
    assert PointCloudFolder(divided, split='val', num_points=8).clouds.sources[0].endswith('val/ball/0.npy')


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


def test_one_warning_for_small_clouds(flat_root: Path, log: list) -> None:
    """The number of small clouds and one of them, once for all splits."""
    for split in ('trainval', 'train', 'test'):
        dataset = PointCloudFolder(flat_root, split=split, num_points=45, normalize=None)
        assert dataset.clouds.points.shape == (len(dataset), 45, 3)
    (said,) = [text for text in log.at('WARNING') if 'clouds there, ' in text]
    assert 'fewer than num_points=45' in said and str(flat_root) in said
