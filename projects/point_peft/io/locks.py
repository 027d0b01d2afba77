"""Locks that the system releases with the process that holds them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mmengine.logging import print_log

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt


WAIT = 0.5
"""Seconds between two looks at a lock that another process holds."""


def lock(handle: int, *, shared: bool = False) -> bool:
    """Take the lock of an open file, which forked children hold too; False if another has it.

    Where there are no such locks, it counts as taken.

    Args:
        handle (int): Number of the open file.
        shared (bool): Whether others may share it, as those who read.
    """
    if fcntl is not None:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return True
    return True


@contextmanager
def alone_in(folder: Path, *, waiting: str | None = None) -> Iterator[None]:
    """Wait until no other process is in this block with the same directory.

    Args:
        folder (Path): The directory, which gets a file ``.lock``.
        waiting (str | None): What to log where that takes time.

    Raises:
        OSError: The file cannot be written.
    """
    with open(folder / '.lock', 'w') as file:
        if not lock(file.fileno()):
            if waiting is not None:
                print_log(waiting, logger='current')
            while not lock(file.fileno()):
                time.sleep(WAIT)
        yield


def lock_process(file: IO[str]) -> None:
    """Lock a file for this process alone; children that it forks do not hold it when it is gone.

    Raises:
        OSError: Another process holds it, or there are no locks.
    """
    if fcntl is not None:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        file.seek(1 << 20)  # a byte behind the text, which others may read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)


@contextmanager
def held_directory(path: str | Path) -> Iterator[None]:
    """Make a directory and hold its lock, by which others see that it is still being filled."""
    Path(path).mkdir(parents=True)
    handle = os.open(path, os.O_RDONLY)
    try:
        lock(handle)
        yield
    finally:
        os.close(handle)


def remove_abandoned_directories(paths: Iterable[Path]) -> None:
    """Remove directories of :func:`held_directory` whose process was killed; where in doubt, none."""
    for path in paths if fcntl is not None else ():
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path)
            finally:
                os.close(handle)
