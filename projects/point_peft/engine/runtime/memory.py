"""How much memory this process takes."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

_STATUS, _CLEAR = Path('/proc/self/status'), Path('/proc/self/clear_refs')

_FORGET_PEAK = '5'
"""What makes Linux start anew with the largest resident size (proc(5), clear_refs)."""


def peak_memory() -> int:
    """Largest resident size so far, in bytes; 0 on a system that does not say.

    On Linux that of this program alone: ``getrusage`` would start with the size of the process that started it, which
    hides everything below.
    """
    if (peak := _linux_peak()) is not None:
        return peak
    if sys.platform == 'win32':
        return 0
    import resource

    unit = 1 if sys.platform == 'darwin' else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def restart_peak() -> int:
    """Let :func:`peak_memory` start from now, where the system can, and return from how many bytes it does."""
    with suppress(OSError):  # not Linux, or not allowed: the peak stays, and only what goes beyond it is seen
        _CLEAR.write_text(_FORGET_PEAK)
    return peak_memory()


def _linux_peak() -> int | None:
    """The same as Linux says of this process; None elsewhere."""
    if not _STATUS.is_file():
        return None
    for line in _STATUS.read_text().splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) * 1024
    return None
