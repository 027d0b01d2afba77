"""The files of a run, and which a resumed run may take for its own: a checkpoint comes from anywhere."""

from __future__ import annotations

import logging
import math
import os
import os.path as osp
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.fileio import BaseStorageBackend, get_file_backend
from mmengine.logging import MessageHub, print_log
from mmengine.runner import Runner

from ...io.atomic import write_atomically
from ...io.errors import ConfigError

BEST = 'best_ckpt'
"""Beginning of the keys under which the message hub has the paths of the best checkpoints."""

SCORE = 'best_score'
"""Beginning of the keys of their scores."""

STEPS = 'keep_ckpt_ids'
"""Key of the steps whose checkpoints are kept."""

SHOWN = 120
"""Characters of a name that a message shows."""


def open_directory(
    out_dir: str | None, work_dir: str, backend_args: dict[str, Any] | None
) -> tuple[str, BaseStorageBackend]:
    """The directory of a run's checkpoints and its storage, without the FileClient that MMEngine's hook warns of.

    Args:
        out_dir (str | None): What the config says: a directory for several runs, or None for the work dir.
        work_dir (str): The run's work dir, whose last part is the run's name in ``out_dir``.
        backend_args (dict | None): Storage to write to.
    """
    storage = get_file_backend(out_dir or work_dir, backend_args=backend_args)
    if out_dir is None or out_dir == work_dir:
        return work_dir, storage
    return storage.join_path(out_dir, osp.basename(work_dir.rstrip(osp.sep))), storage


def own_steps(hub: MessageHub) -> list[int]:
    """The steps of the kept checkpoints, without what is no step and could lead to a file elsewhere."""
    steps = hub.get_info(STEPS, [])
    found = steps if isinstance(steps, (list, tuple)) else []
    return [step for step in found if isinstance(step, int) and not isinstance(step, bool) and step >= 0]


def forget_foreign_best(hub: MessageHub, out_dir: str, is_own: Callable[[str], bool]) -> None:
    """Keep the best checkpoints that are the run's own, at the place where they are now; forget the others.

    Args:
        hub (MessageHub): What the checkpoint brought along.
        out_dir (str): Directory of the run's checkpoints.
        is_own (Callable): Says whether a file name in that directory is the run's.
    """
    foreign = []
    for key in _keys(hub, BEST):
        path, score_key = hub.get_info(key), f'{SCORE}{key[len(BEST) :]}'
        name = osp.basename(path) if isinstance(path, str) else ''
        if re.fullmatch(r'best_[^\0]+', name) and is_own(name):
            hub.update_info(key, osp.join(out_dir, name))
        else:
            foreign.append(ascii(path)[:SHOWN])
            hub.pop_info(key)
            hub.pop_info(score_key)
    for key in _keys(hub, SCORE):
        if not is_score(hub.get_info(key)):
            foreign.append(f'{key}={ascii(hub.get_info(key))[:SHOWN]}')
            hub.pop_info(key)
    if foreign:
        print_log(
            f'the checkpoint names {", ".join(foreign)}, which is not of this run in {out_dir}; it is left alone, and '
            'what is best begins anew',
            logger='current',
            level=logging.WARNING,
        )


def refuse_directories(out_dir: str, template: str) -> None:
    """Refuse a directory that has the name of a checkpoint to be written, before hours of training.

    Args:
        out_dir (str): Directory of the run's checkpoints.
        template (str): Their names, with ``{}`` for the step.

    Raises:
        ConfigError: There is one.
    """
    pattern = template.format('*')
    for path in sorted({*Path(out_dir).glob(pattern), *Path(out_dir).glob(f'best_*_{pattern}')}):
        if path.is_dir():
            raise ConfigError(
                f"'{path}' is a directory, but has the name of a checkpoint; move it away, or train in another "
                '--work-dir.'
            )


def is_score(value: Any) -> bool:
    """Whether a value can be compared with others: a number, neither NaN nor infinite."""
    try:
        return math.isfinite(value)
    except (TypeError, ValueError, OverflowError):
        return False


def note_last(runner: Runner, path: str) -> bool:
    """Write the name of the newest checkpoint to ``last_checkpoint``; says whether that went well."""
    try:
        write_atomically(osp.join(runner.work_dir, 'last_checkpoint'), os.fsencode(path))
    except OSError as error:
        runner.logger.warning(
            f'last_checkpoint could not be written to {runner.work_dir} ({error}); --resume finds the newest '
            'checkpoint without it'
        )
        return False
    return True


def remove_outdated(runner: Runner, backend: BaseStorageBackend, path: str) -> None:
    """Delete an outdated checkpoint, if it is still there."""
    try:
        if backend.isfile(path):
            backend.remove(path)
    except OSError as error:
        runner.logger.warning(
            f'the outdated checkpoint {path} could not be deleted ({error}); training goes on'
        )


def _keys(hub: MessageHub, beginning: str) -> list[str]:
    """Keys of the hub that begin so."""
    return [key for key in hub.runtime_info if isinstance(key, str) and key.startswith(beginning)]
