"""Reading of npz archives whose sizes are checked before memory is taken."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...io.naming import UnreadableError, check_is_file
from ...io.reading import check_unpacked
from .npy import read_header


def read_npz(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read arrays of numbers; pickled objects are refused.

    Args:
        path (Path): the file.
        names (Sequence[str]): the arrays wanted.

    Raises:
        OSError: the file cannot be opened.
        UnreadableError: no archive, an array is missing, or not of the size that it declares.
    """
    check_is_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: _read(archive, name) for name in names}
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(
            f'does not hold the plain arrays {", ".join(names)} ({error}); write it again.'
        ) from error


def _read(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """One array of an archive."""
    if f'{name}.npy' not in archive.namelist():
        raise ValueError(f"no '{name}' among {sorted(archive.namelist())}")
    member = archive.getinfo(f'{name}.npy')
    check_unpacked(member.file_size, member.compress_size, f"'{name}'")
    with archive.open(member) as file:
        (shape, fortran), dtype, stored = read_header(file, member.file_size)
        content = file.read(stored)
    if len(content) != stored or dtype.kind not in 'biuf':
        raise UnreadableError(
            f"has '{name}' of type {dtype} with {len(content)} of {stored} bytes; write it again."
        )
    array = np.frombuffer(content, dtype).reshape(shape, order='F' if fortran else 'C')
    return array.astype(dtype.newbyteorder('='))  # writable, as one's own
