"""The file that keeps the prepared clouds of a folder with many files."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from point_peft.datasets import PointCloudFolder, cache_places, folder, folder_cache, reading
from point_peft.datasets.mapped import MappedClouds
from point_peft.engine.fitting import fingerprint_clouds
from point_peft.io.errors import DatasetError

SPLITS = ('train', 'val', 'trainval', 'test')


@pytest.fixture(autouse=True)
def always_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few the clouds are; and the user's caches are those of the test."""
    monkeypatch.setattr(folder, 'IN_MEMORY', 0)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'users'))
    monkeypatch.setattr(cache_places, '_temporary', [])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """``root/class/*``: 20 clouds in each of two classes, of different formats and sizes."""
    return write_folder(tmp_path / 'clouds')


def write_folder(root: Path, *, count: int = 20) -> Path:
    rng = np.random.default_rng(0)
    for name in ('ball', 'cone'):
        (root / name).mkdir(parents=True)
        for number in range(count):
            points = rng.standard_normal((40 + number, 3))
            write = np.savetxt if number % 2 else np.save
            write(root / name / f'{number}.{"xyz" if number % 2 else "npy"}', points)
    return root


def load(root: Path, split: str = 'train', **settings: object) -> PointCloudFolder:
    return PointCloudFolder(root, **(dict(split=split, num_points=32) | settings))


def kept(root: Path, pattern: str = '*.npy') -> list[Path]:
    return sorted((root / '.cache').glob(pattern))


def no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on no file of the folder may be read."""

    def refuse(*arguments: object, **settings: object) -> None:
        raise AssertionError('the files were read again')

    monkeypatch.setattr(folder_cache, 'read_prepared', refuse)


def divide(root: Path, *, with_val: bool) -> Path:
    """The same clouds as ``train`` and ``test`` and perhaps ``val``."""
    divided = root.with_name('divided')
    for name in ('train', 'test', *(['val'] if with_val else [])):
        shutil.copytree(root, divided / name)
    return divided


@pytest.mark.parametrize('layout', ['undivided', 'divided', 'with val', 'folds'])
def test_same_bits_as_in_memory(root: Path, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every split, by one process or several, at the first opening and after it; a bank fits both."""
    if layout in ('divided', 'with val'):
        root = divide(root, with_val=layout == 'with val')
    settings = dict(folds=3, fold=1) if layout == 'folds' else {}
    for split, workers in itertools.product(SPLITS, (0, 2)):
        read = partial(reading.read_prepared, workers=workers)
        shutil.rmtree(root / '.cache', ignore_errors=True)
        with monkeypatch.context() as patch:
            patch.setattr(folder, 'IN_MEMORY', 1 << 30)
            expected = load(root, split, **settings)
        with monkeypatch.context() as patch:
            patch.setattr(
                folder_cache, 'read_prepared', lambda files, how, workers, read=read: read(files, how)
            )
            first = load(root, split, **settings)
            no_reading(patch)
            second = load(root, split, **settings)
        for found in (first, second):
            assert isinstance(found.clouds.points, MappedClouds)
            assert found.clouds.sources == expected.clouds.sources
            np.testing.assert_array_equal(np.stack(list(found.clouds.points)), expected.clouds.points)
            assert found.labels.tolist() == expected.labels.tolist()
            item, wanted = found[1], expected[1]
            assert torch.equal(item['inputs']['points'], wanted['inputs']['points'])
            assert fingerprint_clouds(found, 16) == fingerprint_clouds(expected, 16)


def test_one_file_for_all_splits_and_folds(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain array that NumPy reads without unpickling."""
    load(root)
    (path,) = kept(root)
    no_reading(monkeypatch)
    for split in SPLITS:
        load(root, split)
        load(root, split, folds=4, fold=2, split_seed=3, val_fraction=0.3)
    clouds = np.load(path, mmap_mode='r', allow_pickle=False)
    assert clouds.shape == (40, 32, 3) and clouds.dtype == np.float32


def test_what_is_read_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another preparation, version or list of files, and a changed file; what was kept before them is removed."""
    load(root)
    changes: list[Callable[[], dict[str, object]]] = [
        lambda: dict(num_points=31),
        lambda: dict(normalize=None),
        lambda: dict(max_points=20),
        lambda: monkeypatch.setattr(folder_cache, '__version__', '99') or {},
        lambda: np.save(root / 'ball' / 'new.npy', np.random.default_rng(5).random((50, 3))) or {},
        lambda: np.save(root / 'ball' / '0.npy', np.random.default_rng(6).random((40, 3))) or {},
    ]
    for change in changes:
        (old,) = kept(root)
        load(root, **change())
        (new,) = kept(root)
        assert new != old and len(kept(root, '*.npz')) == 1


def test_train_and_test_are_kept_apart(root: Path) -> None:
    """What is written for one removes nothing of another."""
    divided = divide(root, with_val=True)
    for split in SPLITS:
        load(divided, split)
    names = [path.name.rpartition('_')[0] for path in kept(divided)]
    assert sorted(names) == ['clouds_test', 'clouds_train', 'clouds_train-val', 'clouds_val']


def test_a_file_in_use_stays(root: Path) -> None:
    """Also while another process has it; it goes when nobody has."""
    first = load(root)
    second = load(root, num_points=30)
    assert len(kept(root)) == 2
    assert first[0]['inputs']['points'].shape == (32, 3)
    del first
    third = load(root, num_points=29)
    assert {np.load(path, mmap_mode='r').shape[1] for path in kept(root)} == {30, 29}
    del second, third


def test_buffers_of_gltf_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are files of their own, which are no clouds."""
    root = write_folder(tmp_path / 'clouds', count=4)
    (root / 'ball' / 'parts').mkdir()
    np.savetxt(root / 'ball' / 'parts' / 'a.bin', [1.0])
    load(root)
    with monkeypatch.context() as patch:
        no_reading(patch)
        np.savetxt(root / 'ball' / 'parts' / 'b.bin', [1.0])
        load(root)  # nothing refers to it
        (root / 'ball' / 'mesh.gltf').write_text('{"asset": {"version": "2.0"}}')
        with pytest.raises(AssertionError, match='read again'):
            load(root)
    names = [folder_cache._Cache(root, sorted(root.glob('*/*.*')), None, (1, 1, 3)).name for _ in range(2)]
    np.savetxt(root / 'ball' / 'parts' / 'b.bin', [2.0, 3.0])
    names += [folder_cache._Cache(root, sorted(root.glob('*/*.*')), None, (1, 1, 3)).name]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize('start', ['fork', 'spawn'])
def test_workers(tmp_path: Path, start: str) -> None:
    """They share the file: forked ones have its map, spawned ones are sent its path and no clouds."""
    root = write_folder(tmp_path / 'clouds')
    dataset = load(root, num_points=4096)
    assert dataset.clouds.points.shape[0] * 4096 * 12 > 1 << 20
    assert len(pickle.dumps(dataset)) < 1 << 14
    loader = DataLoader(dataset, batch_size=8, num_workers=1, collate_fn=list, multiprocessing_context=start)
    found = [item['inputs']['points'] for batch in loader for item in batch]
    assert torch.equal(torch.stack(found), torch.from_numpy(np.stack(list(dataset.clouds.points))))


def test_removed_meanwhile(root: Path) -> None:
    """A worker that is started later says so."""
    content = pickle.dumps(load(root))
    shutil.rmtree(root / '.cache')
    with pytest.raises(FileNotFoundError, match='the prepared clouds, was removed meanwhile; start again'):
        pickle.loads(content)


@pytest.mark.parametrize('suffix', ['npy', 'npz'])
def test_damaged(root: Path, suffix: str, log) -> None:
    """A truncated file costs a warning, not the run."""
    expected = np.stack(list(load(root).clouds.points))
    (path,) = kept(root, f'*.{suffix}')
    path.write_bytes(path.read_bytes()[:-9])
    np.testing.assert_array_equal(np.stack(list(load(root).clouds.points)), expected)
    assert sum('is no usable cache' in text for text in log.at('WARNING')) == 1


def test_flipped_bit(root: Path) -> None:
    """A cloud in which a bit has changed is never given."""
    dataset = load(root, 'test')
    (path,) = kept(root)
    row = int(dataset.clouds.points.rows[2])
    content = bytearray(path.read_bytes())
    content[-(40 - row) * 32 * 12 + 5] ^= 4
    path.write_bytes(content)
    again = load(root, 'test')
    again[1]
    with pytest.raises(DatasetError, match=f"npy' is damaged at cloud {row}; delete it"):
        again[2]


def test_pickled_objects_are_not_unpickled(root: Path, tmp_path: Path) -> None:
    """Whatever is put in place of the files."""

    class Canary:
        def __reduce__(self) -> tuple[Callable, tuple[str]]:
            return os.mkdir, (str(tmp_path / 'executed'),)

    load(root)
    (path,) = kept(root)
    np.save(path, np.array([Canary()], dtype=object))
    np.savez(path.with_suffix('.npz'), checks=np.array([Canary()], dtype=object), remarks=np.zeros(1))
    assert len(load(root)[0]['inputs']['points']) == 32
    assert not (tmp_path / 'executed').exists()


@pytest.mark.parametrize('workers', [0, 2])
def test_bad_file(root: Path, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one is named as in one process, and nothing is left but the lock."""
    monkeypatch.setattr(folder_cache, 'num_workers', lambda: workers)
    for name in ('cone/7.xyz', 'ball/9.xyz'):
        (root / name).write_text('1 2 nan\n' * 9)
    with pytest.raises(DatasetError, match=r"ball/9\.xyz' has a NaN or infinite coordinate"):
        load(root)
    assert [path.name for path in (root / '.cache').iterdir()] == ['.lock']


def test_a_reading_process_is_killed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence."""
    monkeypatch.setattr(folder_cache, 'num_workers', lambda: 2)
    monkeypatch.setattr(reading, '_read', lambda path, preparation: os._exit(9))
    with pytest.raises(DatasetError, match="a process that read '.*clouds' ended .*look for what killed it"):
        load(root)


@pytest.mark.parametrize('workers', [0, 2])
def test_warnings(root: Path, workers: int, log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, also by those who take what an earlier process kept."""
    monkeypatch.setattr(folder_cache, 'num_workers', lambda: workers)
    for number in range(3):
        points = np.random.default_rng(number).random((60, 3)) * 100 + 5e6
        np.save(root / 'ball' / f'far{number}.npy', points.astype(np.float32))

    def said() -> list[str]:
        monkeypatch.setattr('point_peft.datasets.once._said', set())
        log.clear()
        for split in ('train', 'val', 'test'):
            load(root, split, num_points=45)
        return sorted(log.at('WARNING'))

    first = said()
    small, rounded = first
    assert small.startswith(
        f"'{root}': clouds there, 10 of the 43 that were read first, have fewer than num_points=45"
    )
    assert f"'{root / 'ball' / '0.npy'}' among them" in small
    assert rounded.startswith(
        f"'{root / 'ball'}': clouds there were rounded when they were written in float32"
    )
    assert said() == first
    moved = root.rename(root.with_name('moved'))
    root = moved
    no_reading(monkeypatch)
    assert said() == [text.replace('/clouds', '/moved') for text in first]


def test_read_only(root: Path, tmp_path: Path, log) -> None:
    """The user's caches; the directory is left alone, by root as well."""
    root.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        first = load(root)
        assert not (root / '.cache').exists()
        (path,) = (tmp_path / 'users' / 'point_peft').glob('*/*.npy')
        assert any(f"kept in '{path}'" in text for text in log.at('INFO'))
        assert any('marked as read-only' in text for text in log.at('INFO'))
        assert load(root).clouds.points.path == first.clouds.points.path == path
    finally:
        root.chmod(stat.S_IRWXU)


def test_no_room(root: Path, tmp_path: Path, log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then a temporary directory; and where there is none either, the memory."""
    (tmp_path / 'users').write_text('a file where directories of the user would be')
    monkeypatch.setattr(cache_places, 'SPARE', 1 << 60)
    expected = load(root)
    assert isinstance(expected.clouds.points, np.ndarray)
    assert any('no disk has room for the prepared clouds' in text for text in log.at('WARNING'))
    monkeypatch.setattr(cache_places, 'SPARE', 0)
    root.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        for split in ('train', 'test'):
            dataset = load(root, split)
            assert dataset.clouds.points.path.parent == cache_places._temporary[0]
        np.testing.assert_array_equal(np.stack(list(load(root).clouds.points)), expected.clouds.points)
    finally:
        root.chmod(stat.S_IRWXU)
        shutil.rmtree(cache_places._temporary[0])


def test_full_disk(root: Path, tmp_path: Path, full_disk: list[str], log) -> None:
    """Where writing fails, the next place is taken, and no litter is left."""
    load(root)
    (path,) = kept(root)
    for file in (path, path.with_suffix('.npz')):
        file.unlink()
    full_disk.append(f'clouds/.cache/.{path.name}')
    found = load(root)
    assert found.clouds.points.path.is_relative_to(tmp_path / 'users')
    assert [path.name for path in (root / '.cache').iterdir()] == ['.lock']
    assert any('cannot keep the clouds' in text and 'No space left' in text for text in log.at('WARNING'))


def test_leaves_random_numbers_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is the same whether it has read the files or not."""
    monkeypatch.setattr(folder_cache, 'num_workers', lambda: 2)
    states = torch.get_rng_state(), np.random.get_state()[1].tolist()
    load(root)
    assert torch.equal(torch.get_rng_state(), states[0]) and np.random.get_state()[1].tolist() == states[1]


def _load_in_process(root: Path, log: Path, gate: object) -> None:
    """Open the folder and note every file that is read."""
    read = reading._read

    def noted(path: Path, preparation: object) -> object:
        with log.open('a') as file:
            file.write(f'{path.name}\n')
        time.sleep(0.01)
        return read(path, preparation)

    reading._read = noted
    folder.IN_MEMORY = 0
    gate.wait()
    np.save(log.with_suffix(f'.{os.getpid()}.npy'), np.stack(list(load(root).clouds.points)))


def test_several_processes_at_once(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reads; all get the same clouds."""
    monkeypatch.setattr(folder_cache, 'num_workers', lambda: 0)
    context = multiprocessing.get_context('fork')
    gate = context.Barrier(3)
    processes = [
        context.Process(target=_load_in_process, args=(root, tmp_path / 'read', gate)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len((tmp_path / 'read').read_text().splitlines()) == 40
    first, *others = [np.load(path) for path in tmp_path.glob('read.*.npy')]
    assert len(others) == 2 and all(np.array_equal(first, other) for other in others)
    assert len(kept(root)) == 1


PROGRAM = """
import os, sys
from point_peft.datasets import PointCloudFolder
from point_peft.engine.fitting import fingerprint_clouds

def peak():
    (line,) = (line for line in open('/proc/self/status') if line.startswith('VmHWM'))
    return int(line.split()[1]) / 1024

def look(root):
    before = peak()
    dataset = PointCloudFolder(root, split='trainval', num_points=2048, test_fraction=0)
    for index in range(len(dataset)):
        dataset[index]
    fingerprint_clouds(dataset, 1024)
    print('found', len(dataset), type(dataset.clouds.points).__name__, peak() - before, flush=True)

for root in sys.argv[1:]:
    child = os.fork()
    if not child:
        look(root)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not Path('/proc/self/status').exists(), reason='only Linux says the peak of its memory')
def test_memory_is_constant(tmp_path: Path) -> None:
    """Ten times as many clouds, 49 MB of them, cost no more than their names: read, opened again, looked at."""
    for count in (200, 2000):
        (tmp_path / str(count) / 'a').mkdir(parents=True)
        points = np.random.default_rng(0).random((count, 1024, 3), dtype=np.float32)
        for number in range(count):
            np.save(tmp_path / str(count) / 'a' / f'{number}.npy', points[number])
    roots = [tmp_path / name for name in ('200', '2000', '2000')]
    done = subprocess.run([sys.executable, '-c', PROGRAM, *roots], capture_output=True, text=True, check=True)
    found = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith('found')]
    kinds = [('200', 'ndarray'), ('2000', 'MappedClouds'), ('2000', 'MappedClouds')]
    assert [tuple(line[:2]) for line in found] == kinds
    few, first, again = (float(line[2]) for line in found)
    assert max(first, again) < few + 10, found
