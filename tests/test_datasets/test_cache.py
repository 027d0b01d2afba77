"""The cache of slowly read clouds."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from point_peft.datasets import cache
from point_peft.datasets.cache import cached_clouds
from point_peft.io.errors import DatasetError, DatasetNotFoundError


class Canary:
    """Unpickling this makes a directory."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Callable, tuple[str]]:
        return os.mkdir, (self.path,)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three files of one number each."""
    paths = [tmp_path / f'{number}.txt' for number in range(3)]
    for number, path in enumerate(paths):
        path.write_text(str(number))
    return paths


def read(path: Path) -> np.ndarray:
    """Four points whose coordinates are the number in the file."""
    return np.full((4, 3), float(path.read_text()), dtype=np.float32)


def refuse(path: Path) -> np.ndarray:
    """A reader that must not be called."""
    raise AssertionError(f'{path} was read again')


def test_second_reading_takes_the_cache(tmp_path: Path, files: list[Path]) -> None:
    """The files are read once; nothing temporary is left."""
    first = cached_clouds(tmp_path, files, read, key='a')
    assert first[:, 0, 0].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(cached_clouds(tmp_path, files, refuse, key='a'), first)
    assert [path.suffix for path in (tmp_path / '.cache').iterdir()] == ['.npz']


def test_what_makes_a_new_cache(tmp_path: Path, files: list[Path]) -> None:
    """Another key, another list of files, and a changed file are read anew."""
    cached_clouds(tmp_path, files, read, key='a')
    for key, chosen in (('b', files), ('a', files[:2]), ('a', files[::-1])):
        with pytest.raises(AssertionError, match='was read again'):
            cached_clouds(tmp_path, chosen, refuse, key=key)
    files[0].write_text('7.0')
    assert cached_clouds(tmp_path, files, read, key='a')[0, 0, 0] == 7


def test_damaged_cache_is_read_again(tmp_path: Path, files: list[Path]) -> None:
    """A truncated cache costs a warning, not the run."""
    cached_clouds(tmp_path, files, read, key='a')
    path = next((tmp_path / '.cache').glob('*.npz'))
    path.write_bytes(path.read_bytes()[:50])
    assert cached_clouds(tmp_path, files, read, key='a')[2, 0, 0] == 2
    np.testing.assert_array_equal(cached_clouds(tmp_path, files, refuse, key='a')[:, 0, 0], [0, 1, 2])


def test_malicious_cache_executes_nothing(tmp_path: Path, files: list[Path]) -> None:
    """A pickled object in place of the cache is not unpickled."""
    cached_clouds(tmp_path, files, read, key='a')
    path = next((tmp_path / '.cache').glob('*.npz'))
    np.savez(path, points=np.array([Canary(tmp_path / 'executed')], dtype=object))
    assert cached_clouds(tmp_path, files, read, key='a')[:, 0, 0].tolist() == [0, 1, 2]
    assert not (tmp_path / 'executed').exists()


def test_read_only_directory(tmp_path: Path, files: list[Path]) -> None:
    """Where the dataset is not to be written, reading works without a cache; root leaves it alone as well."""
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert cached_clouds(tmp_path, files, read, key='a').shape == (3, 4, 3)
        assert not (tmp_path / '.cache').exists()
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_full_disk(tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails leaves no litter and gives the clouds."""

    def full(file: object, **arrays: np.ndarray) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(cache.np, 'savez', full)
    assert cached_clouds(tmp_path, files, read, key='a').shape == (3, 4, 3)
    assert list((tmp_path / '.cache').iterdir()) == []


def test_missing_and_uneven_files_are_named(tmp_path: Path, files: list[Path]) -> None:
    """The file at fault."""
    with pytest.raises(DatasetNotFoundError, match="9.txt' is listed"):
        cached_clouds(tmp_path, [*files, tmp_path / '9.txt'], read, key='a')
    with pytest.raises(
        DatasetError, match=r"1.txt' has 1 points where '.*0.txt' has 4; set max_points to at most 1"
    ):
        cached_clouds(
            tmp_path, files, lambda path: read(path)[: 1 if path.name == '1.txt' else None], key='c'
        )


def test_change_with_the_old_time(tmp_path: Path, files: list[Path]) -> None:
    """A file of the same size whose time was set back is read again."""
    cached_clouds(tmp_path, files, read, key='a')
    times = files[0].stat()
    files[0].write_text('7')
    os.utime(files[0], ns=(times.st_atime_ns, times.st_mtime_ns))
    assert cached_clouds(tmp_path, files, read, key='a')[0, 0, 0] == 7


def test_cache_of_double_precision(tmp_path: Path, files: list[Path]) -> None:
    """Map coordinates keep their digits."""
    first = cached_clouds(tmp_path, files, lambda path: read(path).astype(float) + 5654321.1, key='a')
    second = cached_clouds(tmp_path, files, refuse, key='a')
    assert second.dtype == np.float64
    np.testing.assert_array_equal(second, first)


def test_leftovers_of_killed_runs(tmp_path: Path, files: list[Path]) -> None:
    """A temporary file that nobody is writing goes; one that another run is writing stays."""
    (tmp_path / '.cache').mkdir()
    left, busy = (tmp_path / '.cache' / f'.{name}.npz.999999999.partial' for name in ('left', 'busy'))
    left.write_bytes(b'half')
    with busy.open('wb') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        cached_clouds(tmp_path, files, read, key='a')
        assert not left.exists() and busy.exists()


@pytest.mark.parametrize('place', [0.0, 0.3, 0.6, 0.95])
def test_flipped_bit(tmp_path: Path, files: list[Path], place: float) -> None:
    """A cache in which a bit has changed is never taken for the clouds."""
    first = cached_clouds(tmp_path, files, read, key='a')
    path = next((tmp_path / '.cache').glob('*.npz'))
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 4
    path.write_bytes(content)
    np.testing.assert_array_equal(cached_clouds(tmp_path, files, read, key='a'), first)
