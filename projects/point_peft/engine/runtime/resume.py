"""Finding the checkpoint to go on from."""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from torch import Tensor

from ...io.errors import CheckpointError
from ...io.weights import load_checkpoint_file

_STEP_FILE = re.compile(r'(?:epoch|iter)_(\d+)\.pth')

NEEDED_TO_RESUME = ('meta', 'state_dict', 'message_hub', 'optimizer')
"""Keys of a checkpoint that training can be resumed from, each a dict."""

POINTER = 'last_checkpoint'
"""File with the path of the newest checkpoint, for other programs; here the numbers of the files count."""

LONGEST_PATH = 4096
"""Bytes of a path, as Linux has it."""


def checkpoint_directory(cfg: Config) -> Path:
    """Directory that a run saves its checkpoints to: ``out_dir`` of its hook, with the name of the work directory."""
    out_dir = ((cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('out_dir')
    work_dir = Path(cfg.work_dir)
    return Path(out_dir) / work_dir.absolute().name if out_dir else work_dir


def find_resumable_checkpoint(work_dir: str | Path, out_dir: str | Path | None = None) -> Path | None:
    """The newest checkpoint of a run that can be read.

    A file that is damaged costs one warning, and the one before it is taken. Only files of the run's own directories
    count, whatever ``last_checkpoint`` names.

    Args:
        work_dir (str | Path): Directory of the run.
        out_dir (str | Path | None): Directory of its checkpoints, if that is another one.

    Returns:
        Path | None: None if the run has not saved anything yet.

    Raises:
        CheckpointError: There are checkpoints, but none of them can be read.
    """
    directories = [Path(directory) for directory in dict.fromkeys([work_dir, out_dir or work_dir])]
    _warn_of_pointer(directories)
    problems = []
    for path in _newest_first(directories):
        problem = _find_problem(path)
        if problem is None:
            return path
        problems.append(problem)
        print_log(f'not resuming from {path.name}: {problem}', logger='current', level=logging.WARNING)
    if problems:
        raise CheckpointError(
            f'no checkpoint in {directories[-1]} can be resumed from ({problems[0]}); delete them, or train in '
            'another --work-dir.'
        )
    return None


def _newest_first(directories: Sequence[Path]) -> list[Path]:
    """Checkpoints of all steps, in falling order."""
    found = {
        Path(os.path.realpath(path))
        for directory in directories
        for path in directory.glob('*.pth')
        if _STEP_FILE.fullmatch(path.name)
    }
    return sorted(found, key=_step, reverse=True)


def _step(path: Path) -> int:
    """Epoch or iteration in the name of a checkpoint."""
    match = _STEP_FILE.fullmatch(path.name)
    return int(match.group(1)) if match else -1


def _find_problem(path: Path) -> str | None:
    """Why a checkpoint cannot be resumed from; None if it can."""
    if not _is_regular(path):
        return f'{path} is no file'
    try:
        checkpoint = load_checkpoint_file(path)
    except (CheckpointError, OSError) as error:
        return str(error)
    return next(_find_gaps(checkpoint), None)


def _find_gaps(checkpoint: Mapping[str, Any]) -> Iterator[str]:
    """What a checkpoint lacks that resuming needs."""
    for key in NEEDED_TO_RESUME:
        if key not in checkpoint:
            yield f'it has no {key}'
        elif not isinstance(checkpoint[key], Mapping):
            yield f'its {key} is a {type(checkpoint[key]).__name__}, not a dict'
    for key in ('epoch', 'iter'):
        count = checkpoint['meta'].get(key, 0)
        if type(count) is not int or count < 0:
            yield f'its {key} is {ascii(count)[:40]}, not a number of steps'
    for name, value in checkpoint['state_dict'].items():
        if isinstance(value, Tensor) and value.is_floating_point() and bool(value.isnan().any()):
            yield f'its {name} holds NaN'


def _warn_of_pointer(directories: Sequence[Path]) -> None:
    """Say so, in one line, if ``last_checkpoint`` names no checkpoint of this run."""
    pointer = directories[0] / POINTER
    if not pointer.exists() or _names_own(pointer, directories):
        return
    print_log(
        f'{pointer} names no checkpoint of this run and is passed over; the newest file counts',
        logger='current',
        level=logging.WARNING,
    )


def _names_own(pointer: Path, directories: Sequence[Path]) -> bool:
    """Whether the pointer has the name of a checkpoint in one of the directories, which may have been moved."""
    if not _is_regular(pointer):
        return False
    try:
        with pointer.open('rb') as file:
            text = file.read(LONGEST_PATH + 1)
        path = Path(os.fsdecode(text).strip()) if len(text) <= LONGEST_PATH else Path()
        return _step(path) >= 0 and any((directory / path.name).is_file() for directory in directories)
    except (OSError, ValueError):  # unreadable, not UTF-8, or no path at all
        return False


def _is_regular(path: Path) -> bool:
    """Whether a path leads to an ordinary file, which can be read without waiting for a writer."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False
