"""Reading many files in their order: in this process, or in several that hand the prepared clouds on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import current_process
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ..io.errors import DatasetError, PointPEFTError
from .once import collected_warnings, warn_once
from .preparation import Preparation
from .readers import name_seed

TOGETHER = 16
"""Files that a process reads before it hands their clouds on."""

MAX_WORKERS = 8
"""Processes beyond which a disk rather than a processor is waited for."""


@dataclass(frozen=True)
class Prepared:
    """A cloud as an item of the dataset.

    Attributes:
        points (np.ndarray): (N, 3) float32.
        size (int): number of points in its file.
    """

    points: np.ndarray
    size: int


def read_prepared(files: Sequence[Path], preparation: Preparation, *, workers: int = 0) -> Iterator[Prepared]:
    """Read and prepare files, of which few are in memory at a time.

    Args:
        files (Sequence[Path]): clouds and meshes; their names and those of their directories are the seeds.
        preparation (Preparation): how they are prepared.
        workers (int): processes that read; 0 reads in this one.

    Yields:
        Prepared: the clouds, in the order of the files and the same however many processes read.

    Raises:
        DatasetError: a file cannot be read or used (the first one is named), or a process was killed.
    """
    if not workers:
        yield from (_read(path, preparation) for path in files)
        return
    loader: DataLoader = DataLoader(
        _Portions(files, preparation),
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_it_is,  # arrays, which need no shared memory
        generator=torch.Generator(),  # or it would take a random number of the run
        multiprocessing_context='fork',
    )
    portions = iter(loader)
    try:
        for _ in range(len(loader)):
            portion = _next(portions, files[0].parent.parent)
            for text in portion.warnings:
                warn_once(text)
            yield from portion.clouds
            if portion.error is not None:
                raise portion.error
    finally:
        del (
            portions
        )  # ends the processes; the traceback of an error would keep them, and end them in disorder


def num_workers() -> int:
    """Processes that are worth starting: one for each core of this process, or none where one cannot fork.

    Processes that are spawned would import the user's script again, which it must be written for.
    """
    if sys.platform != 'linux' or current_process().daemon:
        return 0
    cores = len(os.sched_getaffinity(0))
    return min(cores, MAX_WORKERS) if cores > 1 else 0


@dataclass
class _Portion:
    """What a process hands on: clouds, what is to be said of them, and the error that ended it."""

    clouds: list[Prepared]
    warnings: list[str]
    error: PointPEFTError | None = None


class _Portions(Dataset):
    """Files by portions."""

    def __init__(self, files: Sequence[Path], preparation: Preparation) -> None:
        self.files, self.preparation = files, preparation

    def __len__(self) -> int:
        """Number of portions."""
        return -(-len(self.files) // TOGETHER)

    def __getitem__(self, index: int) -> _Portion:
        """Read portion ``index``."""
        with collected_warnings() as warnings:
            portion = _Portion([], warnings)
            try:
                for path in self.files[index * TOGETHER : (index + 1) * TOGETHER]:
                    portion.clouds.append(_read(path, self.preparation))
            except PointPEFTError as error:
                portion.error = error
        return portion


def _next(portions: Iterator[_Portion], root: Path) -> _Portion:
    """The next portion.

    Raises:
        DatasetError: its process is gone.
    """
    try:
        return next(portions)
    except RuntimeError as error:
        raise DatasetError(
            f"a process that read '{root}' ended ({error}); look for what killed it, such as a lack of memory, and "
            'start again.'
        ) from error


def _read(path: Path, preparation: Preparation) -> Prepared:
    """Read and prepare one file."""
    points = preparation.read_file(path)
    return Prepared(preparation(points, str(path), seed=name_seed(path)), len(points))


def _as_it_is(portion: Any) -> Any:
    """What the loader does to a portion."""
    return portion
