"""Rooms on disk."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from point_peft.io.errors import DatasetError
from point_peft.io.locks import held_directory
from point_peft.procedural import room_files
from point_peft.procedural.room_files import info_file, stored_rooms, write_rooms
from point_peft.procedural.rooms import ROOM_CLASSES, make_room

SMALL: dict[str, Any] = dict(split='train', num_scenes=3, num_points=512, seed=0)


def test_layout(tmp_path: Path) -> None:
    """Info format 1.1, float32 clouds of six columns, int64 masks; the files hold the rooms."""
    path = write_rooms(tmp_path / 'new' / 'root', **SMALL)
    assert path == tmp_path / 'new' / 'root' / 'shapes_scene_infos_train.pkl'
    content = pickle.loads(path.read_bytes())
    assert content['metainfo'] == dict(
        categories={name: label for label, name in enumerate(ROOM_CLASSES)},
        dataset='shapes_scene',
        info_version='1.1',
    )
    assert len(content['data_list']) == 3
    for index, info in enumerate(content['data_list']):
        room = make_room(index, num_points=512)
        name = info['lidar_points']['lidar_path']
        assert info['lidar_points']['num_pts_feats'] == 6
        points = np.fromfile(path.parent / 'points' / name, dtype=np.float32).reshape(-1, 6)
        np.testing.assert_array_equal(points, room.points)
        for mask, values in (('instance_mask', room.instances), ('semantic_mask', room.semantics)):
            stored = np.fromfile(path.parent / mask / info[f'pts_{mask}_path'], dtype=np.int64)
            np.testing.assert_array_equal(stored, values)
        boxes = np.array([instance['bbox_3d'] for instance in info['instances']], dtype=np.float32)
        np.testing.assert_array_equal(boxes, room.boxes)
        assert [instance['bbox_label_3d'] for instance in info['instances']] == room.labels.tolist()


def test_several_splits_in_one_directory(tmp_path: Path) -> None:
    """Splits do not overwrite each other."""
    for split in ('train', 'val'):
        write_rooms(tmp_path, **SMALL | dict(split=split))
    assert len(list((tmp_path / 'points').iterdir())) == 6
    assert (tmp_path / info_file('train')).is_file() and (tmp_path / info_file('val')).is_file()


def test_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call reads what the first one wrote; other arguments and recipes have their own directories."""
    directory = stored_rooms(tmp_path, **SMALL)
    before = {path: path.stat().st_mtime_ns for path in directory.rglob('*')}
    assert stored_rooms(tmp_path, **SMALL) == directory
    assert {path: path.stat().st_mtime_ns for path in directory.rglob('*')} == before
    others = {stored_rooms(tmp_path, **SMALL | change) for change in (dict(seed=1), dict(num_points=513))}
    monkeypatch.setattr(room_files, '_recipe_hash', lambda: 'changed')
    others.add(stored_rooms(tmp_path, **SMALL))
    assert len(others) == 3 and directory not in others
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in [directory, *others]}


def test_processes_do_not_clash(tmp_path: Path) -> None:
    """Two processes that start at once all get complete files, and leave nothing else."""
    context = multiprocessing.get_context('spawn')
    with context.Pool(2) as pool:
        results = pool.starmap(_stored, [(tmp_path,)] * 2, chunksize=1)
    assert len(set(results)) == 1 and [path.name for path in tmp_path.iterdir()] == [results[0].name]


def _stored(root: Path) -> Path:
    return stored_rooms(root, **SMALL | dict(num_scenes=20))


def test_slower_process_takes_the_files_of_the_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process finishes while this one writes: its files stay, ours are removed."""
    write = room_files.write_rooms

    def write_late(directory: Path, **arguments: Any) -> Path:
        monkeypatch.setattr(room_files, 'write_rooms', write)
        other.append(stored_rooms(tmp_path, **SMALL))
        return write(directory, **arguments)

    other: list[Path] = []
    monkeypatch.setattr(room_files, 'write_rooms', write_late)
    assert [stored_rooms(tmp_path, **SMALL)] == other
    assert list(tmp_path.iterdir()) == other


def test_unwritable(tmp_path: Path) -> None:
    """A read-only directory, or a file in its place: one sentence that says what to do."""
    root = tmp_path / 'read_only'
    root.mkdir(mode=0o555)
    with pytest.raises(DatasetError, match=r"cannot be written to '.*read_only'.*set data_root to") as caught:
        stored_rooms(root, **SMALL)
    assert '\n' not in str(caught.value) and not list(root.iterdir())
    (tmp_path / 'file').touch()
    with pytest.raises(DatasetError, match=r"cannot be written to '.*file'"):
        stored_rooms(tmp_path / 'file', **SMALL)


def test_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the rooms are made leaves nothing behind, and the next start makes them."""

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(room_files, '_write_room', interrupt)
        with pytest.raises(KeyboardInterrupt):
            stored_rooms(tmp_path, **SMALL)
    assert not list(tmp_path.iterdir())
    assert stored_rooms(tmp_path, **SMALL).is_dir()


@pytest.mark.parametrize(
    'damage',
    [
        lambda directory: (directory / 'points' / 'train_000001.bin').unlink(),
        lambda directory: (directory / 'semantic_mask' / 'train_000002.bin').write_bytes(b'short'),
        lambda directory: (directory / info_file('train')).write_bytes(b'\x80\x04half'),
        lambda directory: (directory / info_file('train')).unlink(),
        lambda directory: (directory / info_file('train')).write_bytes(pickle.dumps(['else'])),
    ],
)
def test_damaged(tmp_path: Path, damage: Callable[[Path], Any]) -> None:
    """Missing or cut files are named, with what to do, in one sentence."""
    directory = stored_rooms(tmp_path, **SMALL)
    damage(directory)
    with pytest.raises(
        DatasetError, match=r"get it again from the built-in recipe: delete '.*' and start"
    ) as caught:
        stored_rooms(tmp_path, **SMALL)
    assert '\n' not in str(caught.value)


def test_no_scenes(tmp_path: Path) -> None:
    """At least one room."""
    with pytest.raises(ValueError, match='num_scenes=0 must be at least 1'):
        stored_rooms(tmp_path, **SMALL | dict(num_scenes=0))
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """But not what another one is still writing."""
    name = stored_rooms(tmp_path / 'first', **SMALL).name
    abandoned, written = (tmp_path / f'.{name}.{letter}' for letter in 'ab')
    (abandoned / 'points').mkdir(parents=True)
    with held_directory(written):
        stored_rooms(tmp_path, **SMALL)
        assert not abandoned.exists()
        assert written.is_dir()
