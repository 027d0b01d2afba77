"""Training on a directory of one's own: ``tools/train.py CONFIG --data DIR``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..engine.config import DATALOADERS, load_config, walk_dicts
from ..engine.config.own_data import (
    Counts,
    check_counts,
    is_enough_to_validate,
    options_for_size,
    split_counts,
    total,
)
from ..engine.config.work_dir import default_work_dir, work_dir_of_data
from ..io.errors import ConfigError
from ..io.progress import plain_console
from ..io.text import printable

MOST_ROWS = 8
"""Classes in the table on the screen."""


@dataclass(frozen=True)
class OwnData:
    """A directory of classes that is trained on.

    Attributes:
        root (Path): The directory.
        counts (Mapping): Objects by split and class.
        notes (list[str]): What the user should know of them.
        options (Mapping): All changes to the config: the user's, and those that suit the number of objects.
    """

    root: Path
    counts: Counts
    notes: list[str]
    options: Mapping[str, Any]

    def result(self, patience: int | None) -> str:
        """Which checkpoint is the result: the best on validation, if there is enough of it or it ends the training."""
        return 'best_on_val' if patience or is_enough_to_validate(self.counts) else 'last'

    def show(self, cfg: Config, result: str) -> None:
        """Print how the objects are divided, and the settings."""
        console = plain_console()
        classes = {name: None for split in self.counts.values() for name in split}
        objects = sum(map(total, self.counts.values()))
        console.print(f'{printable(self.root)}: {objects} objects of {len(classes)} classes')
        table = Table('class', box=SIMPLE_HEAD, show_edge=False)
        for split in self.counts:
            table.add_column(split, justify='right')
        for name in list(classes)[:MOST_ROWS]:
            table.add_row(printable(name), *(str(split.get(name, 0)) for split in self.counts.values()))
        if len(classes) > MOST_ROWS:
            table.add_row(f'... {len(classes) - MOST_ROWS} more', *('' for _ in self.counts))
        table.add_row('all', *(str(total(split)) for split in self.counts.values()))
        console.print(table)
        for note in self.notes:
            console.print(f'note: {printable(note)}')
        epochs, batch = cfg.train_cfg.get('max_epochs'), cfg.train_dataloader.batch_size
        of = 'the last epoch' if result == 'last' else 'the best epoch on validation'
        console.print(f'{epochs} epochs in batches of {batch}; the result is that of {of}')


def read_own_data(
    config: str, given: Mapping[str, Any], data: Path, work_dir: Path | None, notes: list[str], **folds: Any
) -> tuple[Config, OwnData | None]:
    """Read a config for data of one's own.

    Args:
        config (str): File or name of the config.
        given (Mapping): ``--cfg-options``.
        data (Path): ``--data``.
        work_dir (Path | None): ``--work-dir``.
        notes (list[str]): Gets what matters to who trains, as of ``load_config``.
        **folds: ``folds`` and ``fold`` of every dataset.

    Returns:
        tuple[Config, OwnData | None]: The config; None if its data are no directory of classes.

    Raises:
        PointPEFTError: The config takes no data, or the directory cannot be used.
    """
    if str(given.get('data_root', data)) != str(data):
        raise ConfigError(
            f"--data '{printable(data)}' and data_root='{printable(given['data_root'])}' in --cfg-options are two "
            'directories; give one.'
        )
    options = {**given, 'data_root': str(data)}
    work_dir = work_dir or work_dir_of_data(default_work_dir(config), data)
    cfg = load_config(config, options, work_dir)
    if folds:
        for name in DATALOADERS:
            options |= {f'{name}.dataset.{key}': value for key, value in folds.items() if cfg.get(name)}
        cfg = load_config(config, options, work_dir)
    counts = split_counts(cfg)
    if counts is None:
        return load_config(config, options, work_dir, notes=notes), None
    classes = len(next(iter(counts.values())))
    for place, node in walk_dicts(cfg.model, 'model'):
        if node.get('num_classes', classes) != classes:
            raise ConfigError(
                f"'{printable(data)}' has {classes} classes, but {place}.num_classes is {node['num_classes']}; "
                'leave it out, and they are counted.'
            )
    options |= options_for_size(config, cfg, options)
    cfg = load_config(config, options, work_dir, notes=notes)
    counts = split_counts(cfg) or counts
    return cfg, OwnData(data, counts, check_counts(counts, data), options)
