"""Keeping freed memory inside the process, which makes training on a CPU several times faster."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Parameters of glibc's ``mallopt``."""

LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell glibc to reuse freed memory instead of giving it back to the system.

    A training step frees and allocates the same large tensors again and again. By default each of them is mapped
    afresh, and the kernel then clears it page by page: in a step of the mini backbone 46 000 page faults, against
    one after this call. Does nothing on systems without glibc.

    Returns:
        bool: Whether the allocator took it.
    """
    if not sys.platform.startswith('linux'):
        return False
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    return (
        mallopt is not None and bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, LARGEST_INT))
    )
