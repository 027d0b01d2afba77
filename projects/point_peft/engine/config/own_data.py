"""A directory of one's own: how it is divided, and settings that suit its size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ...datasets.folder import ListedFolder, PointCloudFolder
from ...io.errors import ConfigError
from .classes import dataset_class
from .names import Combination, find_config
from .walking import DATALOADERS

LEAST_BATCH = 8
"""Objects in a batch of a small training set."""

BATCHES = 8
"""Batches in an epoch, if need be of fewer objects than the config has, down to :data:`LEAST_BATCH`."""

LEAST_STEPS = 400
"""Steps of a training; those of small sets get more epochs for that."""

MAX_EPOCHS = 100
"""Epochs that a training gets at most for that."""

ENOUGH_TO_VALIDATE = 50
"""Validation objects below which the best epoch on them is chosen by chance, so that the last epoch is the result."""

VAL_FRACTIONS = (0.1, 0.2)
"""Shares of what is not for the test that are held out for validation: of large and of small sets."""

Counts = dict[str, dict[str, int]]
"""Objects by split and class."""


def split_counts(cfg: Config) -> Counts | None:
    """Objects of every class in training, validation and test set, of which no file is read.

    Args:
        cfg (Config): The config.

    Returns:
        dict | None: By split and class; None if the data are not a directory of classes.

    Raises:
        DatasetError: The directory cannot be used.
    """
    kinds = {name: (cfg.get(name) or {}).get('dataset') for name in DATALOADERS}
    if dataset_class(kinds['train_dataloader']) is not PointCloudFolder:
        return None
    counts = {}
    for name, dataset in kinds.items():
        if dataset is not None and dataset_class(dataset) is PointCloudFolder:
            settings = {key: value for key, value in dataset.items() if key not in ('type', '_scope_')}
            counts[name.partition('_')[0]] = ListedFolder(**settings).class_counts()
    return counts


def options_for_size(config: str | Path, cfg: Config, given: Mapping[str, Any]) -> dict[str, Any]:
    """Changes to a config that is composed of parts, which suit the number of objects; files keep what they say.

    A fifth of few objects and a tenth of many are held out for validation; batches become smaller where an epoch would
    have fewer than :data:`BATCHES`; and epochs become more where there would be fewer than :data:`LEAST_STEPS` steps.

    Args:
        config (str | Path): File or name of the config.
        cfg (Config): The config with the data.
        given (Mapping): Changes of the user, which stay.
    """
    counts = split_counts(cfg)
    if counts is None or not isinstance(find_config(config), Combination):
        return {}
    changes: dict[str, Any] = {}
    kept = total(counts['train']) + total(counts.get('val', {}))
    fraction = cfg.train_dataloader.dataset.get('val_fraction', VAL_FRACTIONS[0])
    has_own_val = Path(cfg.train_dataloader.dataset.data_root, 'val').is_dir()
    if not has_own_val and not any(key.endswith('val_fraction') for key in given):
        low, high = VAL_FRACTIONS
        fraction = round(min(max(ENOUGH_TO_VALIDATE / kept, low), high), 3)
        changes |= {f'{name}.dataset.val_fraction': fraction for name in DATALOADERS if cfg.get(name)}
    train = total(counts['train']) if has_own_val else round(kept * (1 - fraction))
    usual = cfg.train_dataloader.batch_size
    batch = min(max(2 ** int(math.log2(max(train // BATCHES, 1))), LEAST_BATCH), usual, max(train, 1))
    batch = given.get('train_dataloader.batch_size', batch)
    epochs = -(-LEAST_STEPS // max(train // int(batch), 1))
    changes['train_dataloader.batch_size'] = batch
    changes['train_cfg.max_epochs'] = max(cfg.train_cfg.get('max_epochs', 0), min(epochs, MAX_EPOCHS))
    return {key: value for key, value in changes.items() if key not in given}


def check_counts(counts: Counts, data: str | Path) -> list[str]:
    """What a user should know of how the objects are divided: one sentence each.

    Args:
        counts (Counts): Of :func:`split_counts`.
        data (str | Path): The directory.

    Raises:
        ConfigError: There is nothing to train on.
    """
    if total(counts['train']) < 2:
        raise ConfigError(f"'{data}' leaves {total(counts['train'])} object to train on; add some.")
    notes = []
    for split, what in (('test', 'is not tested'), ('val', 'is not validated')):
        without = [name for name, count in counts.get(split, {}).items() if not count]
        if without:
            named = ', '.join(f"'{name}'" for name in without[:5]) + (' ...' if len(without) > 5 else '')
            notes.append(
                f'{len(without)} of {len(counts[split])} classes, {named}, have too few objects for the {split} set, '
                f'so what the model makes of them {what}.'
            )
    return notes


def is_enough_to_validate(counts: Counts) -> bool:
    """Whether the best epoch on the validation set is worth choosing."""
    return total(counts.get('val', {})) >= ENOUGH_TO_VALIDATE


def total(counts: Mapping[str, int]) -> int:
    """Objects of all classes."""
    return sum(counts.values())
