"""Files that are either complete or not there, whatever happens to the process or the disk, and files that may fail."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mmengine.logging import print_log

try:
    import fcntl
except ImportError:  # Windows, where the process number alone has to do
    fcntl = None  # type: ignore[assignment]

_PARTIAL = re.compile(r'\..+\.(\d+)\.partial')
"""Name of an unfinished file: hidden, with the id of the process that writes it."""

_START_TICKS = 19
"""Place of a process's start in ``/proc/PID/stat``, counted from behind the name of its program."""

CLOCK_SLACK = 2.0
"""Seconds by which the start of a process and the time of a file may be off."""


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that whoever looks sees the old content or the new; see :func:`open_atomically`.

    Args:
        path (str | Path): File to write.
        content (bytes): New content.

    Raises:
        OSError: The disk is full, read-only ...; the old file is untouched and nothing is left beside it.
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
        OSError: The disk is full, read-only ...; it names the file. The old file is untouched and nothing is left
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
            _lock(file.fileno())
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(partial, path)
    except BaseException as error:  # an interrupt must not leave litter either
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(partial)):
            raise OSError(
                error.errno, error.strerror, str(path)
            ) from error  # which a full disk does not name
        raise
    _sync_directory(path.parent)


def remove_partial_files(directory: str | Path) -> list[str]:
    """Remove what killed processes left unfinished in a directory; what cannot be removed is left.

    Returns:
        list[str]: Names of the removed files. Those that a process still writes are left alone, also if it runs in
        another container; the number of a dead process that another one has got since does not protect a file.
    """
    removed = []
    with suppress(OSError):
        for path in sorted(Path(directory).glob('.*.partial')):
            match = _PARTIAL.fullmatch(path.name)
            if match and path.is_file() and not _is_written(path, int(match.group(1))):
                path.unlink(missing_ok=True)
                removed.append(path.name)
    return removed


@contextmanager
def held_directory(path: str | Path) -> Iterator[None]:
    """Make a directory and hold its lock, by which others see that it is still being filled."""
    Path(path).mkdir(parents=True)
    handle = os.open(path, os.O_RDONLY)
    try:
        _lock(handle)
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


@contextmanager
def spared(what: str) -> Iterator[None]:
    """Let a write fail at the cost of one warning, since no training should die of a lost picture or log line.

    The logger says the same sentence once, however often the write is tried.

    Args:
        what (str): What is written, as the beginning of a sentence.
    """
    try:
        yield
    except OSError as error:
        print_log(
            f'{what} could not be written ({error}); the run goes on without it',
            logger='current',
            level=logging.WARNING,
        )


def _lock(handle: int) -> bool:
    """Take the lock of an open file, which the system releases with the process; False if another has it."""
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return True
    return True


def _is_written(path: Path, process: int) -> bool:
    """Whether an unfinished file still has its writer."""
    try:
        with open(path, 'rb') as file:
            if not _lock(file.fileno()):
                return True
            return (
                _is_running(process) and _started(process) <= os.fstat(file.fileno()).st_mtime + CLOCK_SLACK
            )
    except OSError:
        return True


def _is_running(process: int) -> bool:
    """Whether another process with this id runs here."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _started(process: int) -> float:
    """When a process began, in seconds since 1970; 0 where the system does not say."""
    try:
        ticks = int(Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()[_START_TICKS])
        boot = re.search(r'^btime (\d+)$', Path('/proc/stat').read_text(), re.MULTILINE)
    except (OSError, IndexError, ValueError):
        return 0.0
    return int(boot.group(1)) + ticks / os.sysconf('SC_CLK_TCK') if boot else 0.0


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
