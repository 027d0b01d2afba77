"""Files that would block, fill the memory, or lead elsewhere are refused at once."""

from __future__ import annotations

import os
import resource
import socket
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from mutations import mutate
from sample_files import npy

from point_peft.datasets.h5 import read_h5
from point_peft.datasets.readers import SUFFIXES, read_cloud
from point_peft.datasets.readers.npz import read_npz
from point_peft.io.errors import DatasetError, DatasetNotFoundError
from point_peft.io.naming import UnreadableError, naming
from point_peft.io.reading import check_unpacked

READERS = {suffix: read_cloud for suffix in SUFFIXES} | {'.h5': read_h5}


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Half a GiB more than now, so that a reader that takes what a file declares fails."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1 << 29), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.timeout(20)
@pytest.mark.parametrize('suffix', READERS)
def test_what_is_no_file(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directories, pipes, sockets, devices, loops of links and missing files."""
    path = tmp_path / f'cloud{suffix}'
    path.mkdir()
    assert 'is a directory' in refusal(path)
    path.rmdir()
    os.mkfifo(path)
    assert 'is a pipe' in refusal(path)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # names of sockets must be short
        server.bind(path.name)
        assert 'is a socket' in refusal(path)
    path.unlink()
    path.symlink_to('/dev/zero')
    assert 'is a device' in refusal(path)
    path.unlink()
    path.symlink_to(path)
    assert 'cannot be opened' in refusal(path)
    path.unlink()
    with pytest.raises(DatasetNotFoundError, match=f'cloud{suffix}'):
        READERS[suffix](path)


def refusal(path: Path) -> str:
    """The error of reading ``path``."""
    with pytest.raises(DatasetError, match=path.name) as caught:
        READERS[path.suffix](path)
    return str(caught.value)


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_enormous_file(tmp_path: Path, suffix: str, little_memory: None) -> None:
    """A file of a terabyte, of which nothing is stored, is not read."""
    path = tmp_path / f'cloud{suffix}'
    content = npy() if suffix == '.npy' else b''
    with path.open('wb') as file:
        file.write(content)
        file.truncate(1 << 40)
    refusal(path)


def test_npy_of_many_points(tmp_path: Path, little_memory: None) -> None:
    """A header that fits a file of zeros of 900 MB is refused before they are read."""
    header = BytesIO()
    np.lib.format.write_array_header_1_0(
        header, dict(descr='<f4', fortran_order=False, shape=(75_000_000, 3))
    )
    path = tmp_path / 'cloud.npy'
    with path.open('wb') as file:
        file.write(header.getvalue())
        file.truncate(len(header.getvalue()) + 900_000_000)
    assert 'declares 75000000 points' in refusal(path)


def bomb(path: Path, size: int) -> Path:
    """An npz whose array of zeros takes a thousandth of its size."""
    header = BytesIO()
    np.lib.format.write_array_header_1_0(header, dict(descr='|u1', fortran_order=False, shape=(size,)))
    with (
        zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive,
        archive.open('points.npy', 'w') as file,
    ):
        file.write(header.getvalue())
        for start in range(0, size, 1 << 24):
            file.write(bytes(min(1 << 24, size - start)))
    return path


def test_npz(tmp_path: Path, little_memory: None) -> None:
    """Bombs, arrays that are not as large as they declare, objects and other files."""
    path = tmp_path / 'a.npz'
    np.savez_compressed(path, points=np.ones((5, 3)), labels=np.arange(5, dtype='>i2'))
    arrays = read_npz(path, ('points', 'labels'))
    assert arrays['points'].shape == (5, 3) and arrays['labels'].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(UnreadableError, match="no 'faces' among"):
        read_npz(path, ('faces',))
    with pytest.raises(UnreadableError, match='stores .*; it is damaged or made to fill the memory'):
        read_npz(bomb(path, 100 << 20), ('points',))
    np.savez(path, points=np.array([{}], dtype=object))
    with pytest.raises(UnreadableError, match='holds Python objects'):
        read_npz(path, ('points',))
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('points.npy', npy()[:-8])
    with pytest.raises(UnreadableError, match='480 bytes, and 472 follow'):
        read_npz(path, ('points',))
    path.write_bytes(b'PK')
    with pytest.raises(UnreadableError, match='does not hold the plain arrays points'):
        read_npz(path, ('points',))


def test_large_arrays_that_are_stored() -> None:
    """What is packed as usual, or not at all, may be larger than a single cloud; nothing is, beyond 16 GiB."""
    for unpacked, stored in ((3 << 30, 3 << 30), (3 << 30, 1 << 30), (1 << 26, 1 << 12)):
        check_unpacked(unpacked, stored, 'points')
    for unpacked, stored in ((3 << 30, 1 << 28), (1 << 27, 1 << 12), (1 << 35, 1 << 35)):
        with pytest.raises(UnreadableError, match=f'declares {unpacked} bytes of points and stores {stored}'):
            check_unpacked(unpacked, stored, 'points')


def test_damaged_npz(tmp_path: Path) -> None:
    """Damage anywhere is refused, or does not touch the numbers."""
    path = tmp_path / 'a.npz'
    points = np.random.default_rng(0).normal(size=(20, 3))
    np.savez_compressed(path, points=points)
    content, rng = path.read_bytes(), np.random.default_rng(1)
    for _ in range(150):
        path.write_bytes(mutate(content, rng))
        try:
            with naming(path, 'npz'):
                found = read_npz(path, ('points',))['points']
        except DatasetError as error:
            assert str(path) in str(error)
        else:
            np.testing.assert_array_equal(found, points)


def test_every_error_is_named(tmp_path: Path) -> None:
    """Whatever the code of a format trips over, and a file that may not be opened."""
    path = tmp_path / 'a.txt'
    path.write_text('1 2 3')
    for error in (
        RecursionError('deep'),
        MemoryError(),
        PermissionError(13, 'Permission denied'),
        KeyError('x\ny'),
    ):
        with pytest.raises(DatasetError, match=r"^'.*a.txt' [^\n]*$"), naming(path, 'text'):
            raise error
    with pytest.raises(KeyboardInterrupt), naming(path, 'text'):
        raise KeyboardInterrupt
