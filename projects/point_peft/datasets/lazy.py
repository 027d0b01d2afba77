"""Clouds that are read from disk when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np


class LazyClouds:
    """Clouds by position, one file each.

    Args:
        listed (Sequence[Path]): files.
        read (Callable[[Path], np.ndarray]): reads one file to (N, 3); a module-level function, so that worker
            processes can be sent it.
        rows (np.ndarray | None): (K,) positions of the files that count; None for all.
    """

    def __init__(
        self, listed: Sequence[Path], read: Callable[[Path], np.ndarray], rows: np.ndarray | None = None
    ) -> None:
        self.listed = listed
        self.read = read
        self.rows = np.arange(len(listed)) if rows is None else rows

    @property
    def files(self) -> list[Path]:
        """The K files."""
        return [self.listed[int(row)] for row in self.rows]

    def __len__(self) -> int:
        """Number of clouds."""
        return len(self.rows)

    def __getitem__(self, index: int) -> np.ndarray:
        """Read cloud ``index``: (N, 3)."""
        return self.read(self.listed[int(self.rows[index])])

    def take(self, index: np.ndarray) -> LazyClouds:
        """The clouds at the integer positions ``index`` (K,), still unread."""
        return LazyClouds(self.listed, self.read, self.rows[index])
