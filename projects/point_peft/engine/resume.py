"""Finding the checkpoint to go on from."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from mmengine.logging import print_log

from .checkpoint import load_checkpoint_file
from .errors import CheckpointError

_STEP_FILE = re.compile(r'(?:epoch|iter)_(\d+)\.pth')

NEEDED_TO_RESUME = ('meta', 'state_dict', 'message_hub', 'optimizer')
"""Keys of a checkpoint that training can be resumed from."""


def find_resumable_checkpoint(work_dir: str | Path) -> Path | None:
    """The newest checkpoint of a run that can be read.

    A file that is damaged costs one warning, and the one before it is taken.

    Args:
        work_dir (str | Path): Directory of the run.

    Returns:
        Path | None: None if the run has not saved anything yet.

    Raises:
        CheckpointError: There are checkpoints, but none of them can be read.
    """
    problems = []
    for path in _newest_first(Path(work_dir)):
        problem = _find_problem(path)
        if problem is None:
            return path
        problems.append(problem)
        print_log(f'not resuming from {path.name}: {problem}', logger='current', level=logging.WARNING)
    if problems:
        raise CheckpointError(
            f'no checkpoint in {work_dir} can be resumed from ({problems[0]}); delete them, or train in '
            'another --work-dir.'
        )
    return None


def _newest_first(work_dir: Path) -> list[Path]:
    """Checkpoints of all steps, and of the directory that ``last_checkpoint`` names, in falling order."""
    directories = {work_dir}
    pointer = work_dir / 'last_checkpoint'
    if pointer.is_file():
        directories.add(Path(pointer.read_text(errors='replace').strip()).parent)
    found = {
        path.resolve()
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
    try:
        checkpoint = load_checkpoint_file(path)
    except CheckpointError as error:
        return str(error)
    missing = [key for key in NEEDED_TO_RESUME if key not in checkpoint]
    return f'it has no {missing[0]}' if missing else None
