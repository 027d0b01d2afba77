"""The directory that a run writes to, if nobody names one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from ...io.errors import MissingFileError
from .names import Combination, find_config

ROOT = Path('work_dirs')

TRACES = ('*.pth', 'protocol.json', '.lock')
"""Files by which a directory of a run is known."""

CONFIGS = 'configs'
"""Directory whose subdirectories are methods."""


def default_work_dir(config: str | Path) -> Path:
    """``work_dirs/point_peft/pointmae_scanobjnn`` for ``configs/point_peft/pointmae_scanobjnn.py``.

    The name has the method in it, as configs of all methods have the same names. That of a config elsewhere is the name
    of its file.

    Args:
        config (str | Path): The config file, which may not be there, or the name METHOD/BACKBONE_TASK.
    """
    try:
        found = find_config(config)
    except MissingFileError:
        found = Path(config)
    if isinstance(found, Combination):
        return ROOT / str(found)
    path = Path(os.path.abspath(found))  # without `..`, which would make two names of one place
    parents = path.parts[:-1]
    if CONFIGS not in parents:
        return ROOT / path.stem
    below = parents[len(parents) - parents[::-1].index(CONFIGS) :]
    return ROOT.joinpath(*below, path.stem)


def work_dir_of_data(work_dir: Path, data: Path) -> Path:
    """The directory of runs on data of one's own: with the name of these at its end."""
    name = re.sub(r'[^\w.+-]+', '_', Path(os.path.abspath(data)).name)
    return work_dir.with_name(f'{work_dir.name}_{name}')


def fresh_work_dir(work_dir: Path, traces: Sequence[str] = TRACES) -> Path:
    """The directory for a run that begins: the one given, or with ``_2``, ``_3`` ... at its end if a run was there.

    Args:
        work_dir (Path): The directory.
        traces (Sequence[str]): Patterns of files by which a directory of a run is known.
    """
    return next(path for path in _numbered(work_dir) if not _has_run(path, traces))


def newest_work_dir(work_dir: Path) -> Path:
    """The directory of the run that began last, of those that :func:`fresh_work_dir` gave; the first if none did."""
    newest = work_dir
    for path in _numbered(work_dir):
        if not _has_run(path):
            return newest
        newest = path
    return newest


def _numbered(work_dir: Path) -> Iterator[Path]:
    """The directory and its successors."""
    yield work_dir
    for number in count(2):
        yield work_dir.with_name(f'{work_dir.name}_{number}')


def _has_run(path: Path, traces: Sequence[str] = TRACES) -> bool:
    """Whether a run left its files in a directory."""
    return any(next(path.glob(trace), None) is not None for trace in traces)
