"""Files that are either complete or not there, whatever happens to the process or the disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import WriteError
from .locks import lock

WRITE_BITS = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that whoever looks sees the old content or the new; see :func:`open_atomically`.

    Args:
        path (str | Path): File to write.
        content (bytes): New content.

    Raises:
        WriteError: The disk is full, read-only ...; the old file is untouched and nothing is left beside it.
    """
    with open_atomically(path) as file:
        file.write(content)


@contextmanager
def open_atomically(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write to that takes its name only when it is complete, also after a kill or a power cut.

    The content goes to a hidden file beside it, is flushed to the disk and takes the name in one step.

    Args:
        path (str | Path): File to write; its directory is created if needed, and a link is followed. What is there
            and no file, such as ``/dev/null`` or a pipe, is written to as it is.

    Raises:
        WriteError: The disk is full, read-only ...; it names the file. The old file is untouched and nothing is left
            beside it.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file() and not path.is_dir():
        with open(path, 'wb') as file:  # a device would lose its name to a plain file
            yield file
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f'.{path.name}.{os.getpid()}.partial'
    try:
        with open(partial, 'wb') as file:
            lock(file.fileno())
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(partial, path)
    except BaseException as error:  # an interrupt must not leave litter either
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(partial)):
            # A full disk does not name the file.
            raise WriteError(error.errno, error.strerror, str(path)) from error
        raise
    _sync_directory(path.parent)


def check_writable(directory: Path) -> None:
    """Refuse a directory that is meant to stay as it is.

    Raises:
        PermissionError: None of its write bits is set, which the system would let root ignore, or this user may not
            write there.
        OSError: It is not there.
    """
    if not directory.stat().st_mode & WRITE_BITS:
        raise PermissionError(f'{directory} is marked as read-only')
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(f'{directory} may not be written to')


def _sync_directory(directory: Path) -> None:
    """Flush a directory, so that a new name survives a power cut; only POSIX systems can."""
    if os.name != 'posix':
        return
    with suppress(OSError):  # the file itself is complete
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
