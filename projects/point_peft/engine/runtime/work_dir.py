"""Keeping a work dir for one run at a time."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mmengine.logging import print_log

from ...io.errors import ConfigError
from ...io.locks import lock_process
from ...io.text import printable

LOCK = '.lock'
"""File in a work dir that the run holds which writes there; its text says who that is."""

_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
"""Where launchers say which of several processes this is."""


def check_work_dir(path: str | Path, flag: str = '--work-dir') -> None:
    """Check that a directory is there or can be made, and can be written to; makes nothing.

    Raises:
        ConfigError: It cannot.
    """
    path = Path(os.path.abspath(path))
    there = next(place for place in (path, *path.parents) if os.path.lexists(place))
    if not there.is_dir():
        what = 'that is a file' if there == path else f"'{printable(there)}' is a file"
        raise ConfigError(f"{flag} '{printable(path)}' cannot be a directory, as {what}; give another one.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{flag} '{printable(path)}' cannot be written to; give another one.")


@contextmanager
def locked_work_dir(path: str | Path, launcher: str = 'none') -> Iterator[None]:
    """Hold a work dir, which is made if need be, so that a second run in it is refused.

    The lock is the operating system's: it ends with the process, however that ends, so nothing that a killed run leaves
    stands in the way. Of several processes of one run the first holds it.

    Args:
        path (str | Path): The work dir.
        launcher (str): Who started the processes; ``none`` if there is only one.

    Raises:
        ConfigError: Another run holds it, or it cannot be written to.
    """
    if launcher != 'none' and next((os.environ[name] for name in _RANKS if name in os.environ), '0') != '0':
        yield
        return
    check_work_dir(path)
    file = _acquire(Path(path) / LOCK)
    try:
        yield
    finally:
        if os.name == 'posix' and file:  # elsewhere an open file cannot be deleted
            Path(path, LOCK).unlink(missing_ok=True)  # while it is held: who has just opened it makes it anew
        if file:
            file.close()


def _acquire(path: Path) -> IO[str] | None:
    """Open and lock a file that has this name when it is locked; None on a full disk or one without locks.

    Raises:
        ConfigError: Another process holds it, or it cannot be written.
    """
    place = printable(path.parent)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, 'a+', encoding='utf-8', errors='replace')  # noqa: SIM115 - who keeps it open, holds the lock
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _warn(place, error)
            return None
        raise ConfigError(
            f"--work-dir '{place}' cannot be written to ({error.strerror}); give another one."
        ) from error
    try:
        lock_process(file)
    except OSError as error:
        file.seek(0)
        holder = printable(file.read().strip() or 'another run')
        file.close()
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            _warn(place, error)
            return None
        raise ConfigError(
            f"'{place}' is in use by {holder}; wait for it, or give another --work-dir."
        ) from error
    if not _has_name(file, path):
        file.close()
        return _acquire(path)
    with suppress(OSError):  # of a full disk; the lock holds, only its text is missing
        file.truncate(0)
        file.write(f'process {os.getpid()} on {socket.gethostname()}\n')
        file.flush()
    return file


def _warn(place: str, error: OSError) -> None:
    """Say that a work dir is not locked."""
    message = f'{place} could not be locked ({error.strerror}); start no second run there'
    print_log(message, logger='current', level=logging.WARNING)


def _has_name(file: IO[str], path: Path) -> bool:
    """Whether an open file still is what the name stands for."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
