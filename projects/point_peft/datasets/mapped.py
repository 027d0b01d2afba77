"""Prepared clouds in one file that processes share and none holds."""

from __future__ import annotations

import math
import mmap
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..io.errors import DatasetError, DatasetNotFoundError
from ..io.locks import lock
from ..io.naming import UnreadableError
from .readers.npy import read_header

DTYPE = np.dtype('<f4')

RELEASED = 1 << 21
"""Bytes of the map that are let go together; the system maps some pages round those that are read."""


class MappedClouds:
    """Clouds by position, copied out of a file that is mapped into memory.

    What was read is let go again, so that a process that goes through all clouds holds one of them; the system keeps
    the file in memory while there is room, once for all processes. A pickle holds the path and no clouds. While the
    file is mapped, its lock is held together with other readers.

    Args:
        path (Path): plain npy file (M, N, 3) float32.
        checks (np.ndarray): (M,) uint32, the CRC-32 of every cloud.
        rows (np.ndarray | None): (K,) positions of the clouds that count; None for all.

    Raises:
        OSError: the file cannot be opened.
        UnreadableError: it is no such file.
    """

    def __init__(self, path: Path, checks: np.ndarray, rows: np.ndarray | None = None) -> None:
        self.path, self.checks = path, checks
        self.rows = np.arange(len(checks)) if rows is None else rows
        self._open()

    def __len__(self) -> int:
        """Number of clouds."""
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(K, N, 3), as of an array."""
        return len(self.rows), self.num_points, 3

    def __getitem__(self, index: int) -> np.ndarray:
        """Cloud ``index``: (N, 3) float32.

        Raises:
            DatasetError: the file has changed since it was written.
        """
        row = int(self.rows[index])
        size = self.num_points * 3 * DTYPE.itemsize
        start = self._start + row * size
        content = self._map[start : start + size]
        self._release(start, start + size)
        if zlib.crc32(content) != self.checks[row]:
            raise DatasetError(
                f"'{self.path}' is damaged at cloud {row}; delete it, and the clouds are read from their files again."
            )
        return np.frombuffer(content, DTYPE).reshape(self.num_points, 3)

    def take(self, index: np.ndarray) -> MappedClouds:
        """The clouds at the integer positions ``index`` (K,)."""
        return MappedClouds(self.path, self.checks, self.rows[index])

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the map."""
        return dict(path=self.path, checks=self.checks, rows=self.rows)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the file again, in a worker process that was sent this."""
        self.__dict__.update(state)
        try:
            self._open()
        except FileNotFoundError as error:
            raise DatasetNotFoundError(
                f"'{self.path}', the prepared clouds, was removed meanwhile; start again."
            ) from error

    def _open(self) -> None:
        """Map the file."""
        with self.path.open('rb') as file:
            lock(file.fileno(), shared=True)  # the map keeps the file open, and with it the lock
            try:
                (shape, fortran), dtype, _ = read_header(file, self.path.stat().st_size)
            except ValueError as error:
                raise UnreadableError(f'is not a plain npy array ({error})') from error
            if len(shape) != 3 or shape[2] != 3 or not math.prod(shape) or dtype != DTYPE or fortran:
                raise UnreadableError(f'holds {dtype} of shape {shape}, and no clouds')
            if shape[0] != len(self.checks):
                raise UnreadableError(f'holds {shape[0]} clouds of {len(self.checks)}')
            self.num_points = shape[1]
            self._start = file.tell()
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def _release(self, start: int, end: int) -> None:
        """Let bytes go that were read, so that they do not count as memory of this process."""
        if hasattr(self._map, 'madvise') and hasattr(mmap, 'MADV_DONTNEED'):
            start -= start % RELEASED
            self._map.madvise(
                mmap.MADV_DONTNEED, start, min(-(-end // RELEASED) * RELEASED, len(self._map)) - start
            )
