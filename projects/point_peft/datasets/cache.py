"""Cache of slowly read arrays in one file beside the dataset."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from ..io.atomic import check_writable, open_atomically
from ..io.errors import DatasetError, DatasetNotFoundError
from ..io.naming import UnreadableError
from ..io.partial import remove_partial_files
from ..io.progress import track
from .readers.npz import read_npz

CACHE_DIR = '.cache'

LAYOUT = 2
"""Version of what is written; another one is not read."""


def cached_clouds(
    root: Path, files: Sequence[Path], read: Callable[[Path], np.ndarray], *, key: str
) -> np.ndarray:
    """Read clouds of equal size, through :func:`cached_arrays`.

    Args:
        root (Path): directory of the dataset.
        files (Sequence[Path]): one file per cloud.
        read (Callable): reads one file to (N, 3).
        key (str): what else the content depends on.

    Returns:
        np.ndarray: (M, N, 3), of the dtype that ``read`` returns.

    Raises:
        DatasetNotFoundError: a file is missing.
        DatasetError: the clouds differ in size.
    """
    arrays = cached_arrays(
        root, files, lambda: dict(points=_read_stack(root, files, read)), names=('points',), key=key
    )
    return arrays['points']


def cached_arrays(
    root: Path,
    files: Sequence[Path],
    read: Callable[[], dict[str, np.ndarray]],
    *,
    names: Sequence[str],
    key: str,
) -> dict[str, np.ndarray]:
    """Read arrays from files, or take them from ``root/.cache`` when nothing has changed.

    The cache is named by a hash of ``key`` and of the files' names, sizes and times. It is written only where
    ``root`` is writable, in one atomic step, and read without unpickling anything.

    Args:
        root (Path): directory of the dataset.
        files (Sequence[Path]): the files that the arrays depend on.
        read (Callable): reads the files.
        names (Sequence[str]): names of the arrays that ``read`` returns.
        key (str): what else the content depends on.

    Raises:
        DatasetNotFoundError: a file is missing.
    """
    path = root / CACHE_DIR / f'{fingerprint_files(root, files, key)}.npz'
    cached = _load(path, names)
    if cached is not None:
        return cached
    arrays = read()
    _save(path, arrays)
    return arrays


def _read_stack(root: Path, files: Sequence[Path], read: Callable[[Path], np.ndarray]) -> np.ndarray:
    """Clouds of all files as one array (M, N, 3)."""
    clouds = [read(file) for file in track(files, f'Reading {root.name}')]
    sizes = [len(cloud) for cloud in clouds]
    if len(set(sizes)) > 1:
        odd = next(index for index, size in enumerate(sizes) if size != sizes[0])
        raise DatasetError(
            f"'{files[odd]}' has {sizes[odd]} points where '{files[0]}' has {sizes[0]}; set max_points "
            f'to at most {min(sizes)} or repair the file.'
        )
    return np.stack(clouds)


def fingerprint_files(root: Path, files: Sequence[Path], key: str) -> str:
    """Hash of the key and of the names, sizes and times of the files.

    The time of a file's last change by the system is among them, since that of its content can be set back.
    """
    digest = hashlib.sha256(f'{LAYOUT}:{key}'.encode())
    for file in files:
        try:
            status = file.stat()
        except FileNotFoundError as error:
            raise DatasetNotFoundError(
                f"'{file}' is listed in '{root}' but does not exist; unpack the dataset again."
            ) from error
        name = os.fsencode(file.relative_to(root))
        digest.update(b'%s:%d:%d:%d\n' % (name, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return digest.hexdigest()[:32]


def _load(path: Path, names: Sequence[str]) -> dict[str, np.ndarray] | None:
    """Arrays in the cache, or None if there is none or it is damaged."""
    if not path.exists():
        return None
    try:
        return read_npz(path, names)
    except (OSError, UnreadableError) as error:
        print_log(
            f"'{path}' is no usable cache ({error}); reading the dataset again.", logger='current', level=30
        )
        return None


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write the cache atomically; where that is impossible, the next reading takes as long."""
    directory = path.parent
    try:
        check_writable(directory.parent)
        directory.mkdir(exist_ok=True)
        check_writable(directory)
    except OSError:
        print_log(f"'{directory}' is not writable; the dataset is not cached.", logger='current')
        return
    remove_partial_files(directory)
    try:
        with open_atomically(path) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes them for its option
    except OSError as error:
        print_log(
            f"'{path}' could not be written ({error}); the dataset is not cached.", logger='current', level=30
        )
