"""One training of a comparison: its config, its directory and its result."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from ..engine.config import DATALOADERS, load_config
from ..engine.config.check import check_config
from ..engine.config.required import check_loops
from ..engine.preflight import check_files
from ..engine.runtime.protocol import BEST_ON_VAL, LAST, ROWS
from ..io.errors import ConfigError
from .matrix import Cell

COST_HOOK = dict(type='TrainingCostHook')
"""Measures time and memory of a run."""

COSTS = (
    *('trainable_parameters', 'all_parameters', 'adapter_mb', 'fitted_mb'),
    *('train_seconds', 'peak_memory_mb', 'other_task'),
)
"""What a run says about itself beside accuracy."""


@dataclass(frozen=True)
class CellRun:
    """A cell with its directory.

    Attributes:
        cell (Cell): What is trained.
        directory (Path): Holds ``config.py``, ``log.txt`` and the work directory ``run``.
        config_text (str): The resolved config.
        max_epochs (int): Epochs of the training.
    """

    cell: Cell
    directory: Path
    config_text: str
    max_epochs: int

    @property
    def config_file(self) -> Path:
        """The complete config of the run."""
        return self.directory / 'config.py'

    @property
    def work_dir(self) -> Path:
        """Where the training writes."""
        return self.directory / 'run'

    def check_directory(self) -> None:
        """Make sure that what an earlier run left in the directory had the same config.

        Raises:
            ConfigError: It had another, or its config is gone.
        """
        if not self.config_file.is_file():
            if self.work_dir.exists():
                raise ConfigError(
                    f"'{self.work_dir}' exists, but not its config '{self.config_file}'; give another --work-dir."
                )
            return
        earlier, wanted = Config.fromfile(self.config_file), Config.fromstring(self.config_text, '.py')
        earlier.work_dir = wanted.work_dir  # the directory may have been moved
        difference = first_difference(earlier.to_dict(), wanted.to_dict())
        if difference is not None:
            raise ConfigError(
                f"'{self.config_file}' of an earlier run has {difference}; give another --work-dir, or the settings of "
                'that run to go on with it.'
            )

    def result(self, metric: str) -> dict[str, Any] | None:
        """Accuracies and costs, from ``protocol.json``; None if the last epoch has not been evaluated.

        A run that tries a candidate gives its validation accuracy alone.
        """
        path = self.work_dir / 'protocol.json'
        if not path.is_file():
            return None
        content = json.loads(path.read_text())
        rows = {row['label']: row for row in content['rows']}
        last = rows.get(LAST)
        if last is None or metric not in last['test']:
            return None
        if last['epoch'] < self.max_epochs and not content.get('stopped_early'):
            return None
        costs = {name: content.get(name) for name in COSTS}
        if self.cell.candidate is not None:
            del costs['other_task']  # measured on a test set
            return dict(val=rows[BEST_ON_VAL]['val'][metric] if BEST_ON_VAL in rows else None, **costs)
        found = {name: rows[label]['test'].get(metric) for name, label in ROWS.items() if label in rows}
        return dict({name: found.get(name) for name in ROWS}, **costs)


def first_difference(old: Any, new: Any, place: str = '') -> str | None:
    """Where two configs differ first, with both values, as part of a sentence; None if they agree."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return None if old == new else f'{place}={old!r} where this one has {new!r}'
    for key in sorted({*old, *new}, key=str):
        name = f'{place}.{key}' if place else str(key)
        if key not in old or key not in new:
            return f'{"no " if key in new else ""}{name}, unlike this one'
        found = first_difference(old[key], new[key], name)
        if found is not None:
            return found
    return None


def prepare_cell(cell: Cell, root: Path) -> CellRun:
    """Resolve and check a cell's config.

    Args:
        cell (Cell): The cell.
        root (Path): Directory of the matrix.

    Raises:
        PointPEFTError: The config has a mistake, data or weights are missing, or it reports no accuracy.
    """
    directory = root / 'cells' / cell.name
    notes: list[str] = []
    cfg = load_config(cell.config, cell.options, str(directory / 'run'), notes=notes)
    for note in notes:
        print_log(f'{cell.name}: {note}', logger='current', level=logging.WARNING)
    check_config(cfg)
    check_loops(cfg)
    check_files(cfg, [name for name in DATALOADERS if cfg.get(name)])
    if (cfg.get('default_hooks') or {}).get('protocol') is None:
        raise ConfigError(
            f'{cell.config} has no default_hooks.protocol, which measures the accuracy; add it.'
        )
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), COST_HOOK]
    return CellRun(cell, directory, cfg.pretty_text, int(cfg.train_cfg.max_epochs))
