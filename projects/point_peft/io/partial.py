"""What killed processes left unfinished."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from .locks import lock

_PARTIAL = re.compile(r'\..+\.(\d+)\.partial')
"""Name of an unfinished file: hidden, with the id of the process that writes it."""

_START_TICKS = 19
"""Place of a process's start in ``/proc/PID/stat``, counted from behind the name of its program."""

CLOCK_SLACK = 2.0
"""Seconds by which the start of a process and the time of a file may be off."""


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


def _is_written(path: Path, process: int) -> bool:
    """Whether an unfinished file still has its writer."""
    try:
        with open(path, 'rb') as file:
            if not lock(file.fileno()):
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
