"""Clouds that are read from disk when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np


class LazyClouds:
    """Clouds by position, one file each.

    Args:
        files (Sequence[Path]): the files.
        read (Callable[[Path], np.ndarray]): reads one file to (N, 3); a module-level function, so that worker
            processes can be sent it.
    """

    def __init__(self, files: Sequence[Path], read: Callable[[Path], np.ndarray]) -> None:
        self.files = files
        self.read = read

    def __len__(self) -> int:
        """Number of clouds."""
        return len(self.files)

    def __getitem__(self, index: int) -> np.ndarray:
        """Read cloud ``index``: (N, 3)."""
        return self.read(self.files[index])

    def take(self, index: np.ndarray) -> LazyClouds:
        """The clouds at the integer positions ``index`` (K,), still unread."""
        return LazyClouds([self.files[i] for i in index], self.read)
