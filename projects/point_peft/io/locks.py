"""Locks that the system releases with the process that holds them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where the process number alone has to do
    fcntl = None  # type: ignore[assignment]


def lock(handle: int) -> bool:
    """Take the lock of an open file, which the system releases with the process; False if another has it."""
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return True
    return True


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
