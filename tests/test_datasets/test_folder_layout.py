"""How a directory of clouds is laid out, and what lies in it that is no cloud."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from point_peft.datasets import PointCloudFolder
from point_peft.io.errors import DatasetError

CLOUD = np.random.default_rng(0).random((20, 3))


def write(root: Path, *names: str) -> Path:
    """Write the same cloud under some names below a directory."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == '.npy':
            np.save(path, CLOUD)
        else:
            np.savetxt(path, CLOUD)
    return root


def load(root: Path, split: str = 'trainval') -> PointCloudFolder:
    """The dataset, of few points."""
    return PointCloudFolder(root, split=split, num_points=16)


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        (['Train/a/0.npy', 'Test/a/0.npy'], r"Te?\w+' looks like the \w+ set; rename it to '(test|train)'"),
        (['TRAIN/a/0.npy'], "TRAIN' looks like the train set; rename it to 'train'"),
        (['training/a/0.npy', 'testing/a/0.npy'], "testing' looks like the test set; rename it to 'test'"),
        (['train/a/0.npy', 'validation/a/0.npy'], "validation' looks like the val set; rename it to 'val'"),
        (['a/train/0.npy', 'a/test/0.npy', 'b/train/0.npy'], "a' holds the directories 'test', 'train'; .* swap"),
        (['a/Train/0.npy', 'b/Train/0.npy'], "a' holds the directories 'Train'; .* swap the two levels"),
        (['a/train/0.npy', 'a/0.npy', 'b/0.npy'], "a' holds the directories 'train'; .* swap"),
        (['in/train/a/0.npy', 'in/test/a/0.npy'], "holds only 'in', which has the subsets; set data_root to '.*in'"),
        (['in/a/0.npy', 'in/b/0.npy'], "in' holds no cloud but the directories 'a', 'b'; .* set data_root"),
        (['a/id1/model.txt', 'b/id2/model.txt'], "a' holds no cloud but the directories 'id1'; put the files"),
        (['train/0.npy', 'test/0.npy'], "'test', 'train', which hold no class directories"),
        (['0.npy', '1.npy'], 'holds clouds but no class directories; expected CLASS/FILE'),
        (['test/a/0.npy'], "has 'test' but no 'train'"),
        (['train/a/0.npy', 'test/a/0.npy', 'test/b/0.npy'], r"test' has the classes \['b'\], which '.*train' has not"),
        (['train/a/0.npy', 'train/b/0.npy', 'val/a/0.npy'], r"train' has the classes \['b'\], which '.*val' has not"),
        (['train/a/0.npy', 'train/A/0.npy'], "the classes 'A' and 'a', which differ only in case"),
        (['chair/0.npy', 'Chair/0.npy'], "the classes 'Chair' and 'chair', which differ only in case"),
        (['train/a/0.npy', 'test/a/note.md'], "test/a' holds no cloud; expected files with one of the suffixes"),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, names: list[str], message: str) -> None:
    """Whatever the split, so that a run does not find out at its end."""
    write(tmp_path, *names)
    with pytest.raises(DatasetError, match=message):
        load(tmp_path)


def test_a_file_as_root(tmp_path: Path) -> None:
    """Someone gives a cloud."""
    write(tmp_path, '0.npy')
    with pytest.raises(DatasetError, match="0.npy' is a file; give the directory"):
        load(tmp_path / '0.npy')


def test_a_class_of_trains(tmp_path: Path) -> None:
    """A class may have the name of a subset, as it holds clouds."""
    write(tmp_path, 'bus/0.npy', 'bus/1.npy', 'train/0.npy', 'train/1.npy', 'Test/0.npy')
    assert load(tmp_path).classes == ('Test', 'bus', 'train')


def test_what_systems_leave_behind(tmp_path: Path, log) -> None:
    """It is passed over without a word."""
    write(tmp_path, 'a/0.npy', 'b/0.npy', '__MACOSX/a/._0.npy', '.cache/x.npy', '@eaDir/0.npy')
    for name in ('a/._0.npy', 'a/.DS_Store', 'a/Thumbs.db', 'a/desktop.ini', '.DS_Store', 'Desktop.ini'):
        (tmp_path / name).write_bytes(b'\x00\x05\x16\x07')
    assert load(tmp_path).class_counts() == dict(a=1, b=1)
    assert not log.at('WARNING')


def test_what_is_left_out_is_counted_once(tmp_path: Path, log) -> None:
    """Per class, however many splits there are."""
    write(tmp_path, *(f'{name}/{i}.npy' for name in 'ab' for i in range(4)), 'loose.npy')
    for name in ('chair.mtl', 'wood.png', 'w.npz', 'x.blend', 'y.step', 'z.3dm', 'noend'):
        (tmp_path / 'a' / name).touch()
    (tmp_path / 'a' / 'textures').mkdir()
    (tmp_path / 'a' / 'model.npy').mkdir()
    for split in ('train', 'val', 'test'):
        assert load(tmp_path, split).classes == ('a', 'b')
    warnings = log.at('WARNING')
    assert len(warnings) == 2
    (of_class,) = [text for text in warnings if '9 of 13 entries are left out' in text]
    assert (
        "/a': " in of_class and "'chair.mtl', 'model.npy/', 'noend'" in of_class and 'and 4 more' in of_class
    )
    (beside,) = [text for text in warnings if text not in of_class]
    assert "1 files beside the class directories are left out, 'loose.npy'" in beside


def test_directories_beside_subsets(tmp_path: Path, log) -> None:
    """They are named."""
    write(tmp_path, 'train/a/0.npy', 'extra/0.npy')
    load(tmp_path)
    assert any(
        "the directories 'extra' beside the subsets are left out" in text for text in log.at('WARNING')
    )


def test_the_same_object_twice(tmp_path: Path, log) -> None:
    """Two formats or spellings of one name are said, and on one side of a split."""
    write(
        tmp_path,
        *(f'a/chair{i}{end}' for i in range(12) for end in ('.npy', '.txt')),
        'a/Chair0.xyz',
        'b/0.npy',
    )
    sides = {split: load(tmp_path, split).clouds.sources for split in ('train', 'val', 'test')}
    (text,) = log.at('WARNING')
    assert (
        "12 objects are there more than once, by their names ('Chair0.xyz', 'chair0.npy', 'chair0.txt')"
        in text
    )
    stems = [
        {Path(source).stem.lower() for source in sources if '/a/' in source} for sources in sides.values()
    ]
    assert sum(map(len, stems)) == len(set.union(*stems)) == 12 and all(stems)


def test_links(tmp_path: Path) -> None:
    """Links to files and directories are what they lead to; one that leads nowhere is named."""
    write(tmp_path / 'store', '0.npy', '1.npy')
    root = write(tmp_path / 'root', 'a/0.npy')
    (root / 'b').symlink_to(tmp_path / 'store')
    (root / 'a' / 'linked.npy').symlink_to(tmp_path / 'store' / '1.npy')
    dataset = PointCloudFolder(root, split='trainval', num_points=16, test_fraction=0)
    assert dataset.class_counts() == dict(a=2, b=2)
    (root / 'a' / 'lost.npy').symlink_to(tmp_path / 'gone.npy')
    with pytest.raises(DatasetError, match="lost.npy' is a link to '.*gone.npy', which does not exist"):
        load(root)


@pytest.mark.parametrize('place', ['.', 'train'])
def test_classes_that_are_links_to_nothing(tmp_path: Path, place: str) -> None:
    """A class on a disk that is not mounted is missed, not left out in silence."""
    root = write(tmp_path / 'clouds', *(f'{place}/{name}/{index}.npy' for name in 'ab' for index in range(3)))
    (root / place / 'c').symlink_to(tmp_path / 'gone')
    with pytest.raises(DatasetError, match="c' is a link to '.*gone', which does not exist"):
        load(root)
    (root / place / 'c').unlink()
    (root / place / 'c').symlink_to('c')
    with pytest.raises(DatasetError, match="c' is a link to 'c', which does not exist"):
        load(root)
