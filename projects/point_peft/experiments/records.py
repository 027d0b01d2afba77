"""Finished runs, one line of JSON each."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ..engine.config import walk_dicts
from ..io.atomic import write_atomically
from ..io.errors import ConfigError
from .cells import CellRun, first_difference
from .matrix import Cell

FILE_NAME = 'results.jsonl'


class Records:
    """The file of finished runs of a matrix.

    Args:
        root (Path): Directory of the matrix.
    """

    def __init__(self, root: Path) -> None:
        self.path = root / FILE_NAME
        self.lines: dict[str, dict[str, Any]] = {}
        if self.path.is_file():
            for number, line in enumerate(self.path.read_text().splitlines(), start=1):
                try:
                    entry = json.loads(line)
                    self.lines[entry['cell']] = entry
                except (ValueError, KeyError, TypeError) as error:
                    raise ConfigError(
                        f"line {number} of '{self.path}' is not the record of a run ({error}); delete that line, and "
                        'the run is taken up again.'
                    ) from error

    def find(self, run: CellRun) -> dict[str, Any] | None:
        """The record of a run, if it is finished.

        Raises:
            ConfigError: The directory has that cell with another config.
        """
        run.check_directory()
        entry = self.lines.get(run.cell.name)
        if entry is not None:
            difference = first_difference(_compared(entry), _compared(_described(run.cell)))
            if difference is not None:
                raise ConfigError(
                    f"the record of {run.cell.name} in '{self.path}' has {difference}; give another --work-dir, or the "
                    'settings of that run to go on with it.'
                )
        return entry

    def add(self, run: CellRun, result: dict[str, Any], *, device: str) -> dict[str, Any]:
        """Note a finished run."""
        cell = run.cell
        entry = dict(
            cell=cell.name,
            setting=cell.setting,
            method=cell.method,
            draw=cell.draw,
            candidate=cell.candidate,
            **_described(cell),
            device=device,
            **environment(),
            **result,
        )
        self.lines[cell.name] = entry
        text = ''.join(json.dumps(line, default=str) + '\n' for line in self.lines.values())
        write_atomically(self.path, text.encode())
        return entry


def _described(cell: Cell) -> dict[str, Any]:
    return dict(config=cell.config, options=dict(cell.options))


def _compared(described: Mapping[str, Any]) -> dict[str, Any]:
    """What makes two runs the same, as JSON has it: config and changes, but not the place of the data."""
    whole = json.loads(json.dumps({name: described[name] for name in ('config', 'options')}, default=str))
    for _, node in walk_dicts(whole):
        for key in [key for key in node if key.rsplit('.', 1)[-1] == 'data_root']:
            del node[key]
    return whole


def environment() -> dict[str, Any]:
    """Commit of the code (with ``+`` if it was changed since) and versions of what computes."""
    place = Path(__file__).resolve().parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(['git', *arguments], cwd=place, capture_output=True, text=True, timeout=30)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git('rev-parse', '--short=12', 'HEAD')
    changed = '+' if commit and git('status', '--porcelain', '--untracked-files=no') else ''
    return dict(
        commit=commit and commit + changed,
        python=platform.python_version(),
        torch=torch.__version__,
        mmengine=version('mmengine'),
    )
