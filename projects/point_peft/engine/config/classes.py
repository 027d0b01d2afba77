"""The number of classes where a config leaves it to the data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ...io.errors import ConfigError
from ...io.text import printable
from ...registry import DATASETS
from ...registry.built_from import class_of
from .walking import DATALOADERS, walk_dicts


def count_classes(cfg: Config) -> None:
    """Put the number of classes of a config's data where its model has ``num_classes=None``.

    Data that are not there leave it open: who needs them, says so.

    Args:
        cfg (Config): The config; is changed.

    Raises:
        DatasetError: The directory of the data has no classes; see ``datasets.folder_layout``.
        ConfigError: There is only one class.
    """
    open_places = [node for _, node in walk_dicts(cfg.get('model')) if node.get('num_classes', 0) is None]
    dataset = next((node for node in datasets_of(cfg) if hasattr(dataset_class(node), 'classes_in')), None)
    root = dataset.get('data_root') if dataset else None
    if not open_places or not root or not Path(root).expanduser().exists():
        return
    classes = dataset_class(dataset).classes_in(Path(root).expanduser())
    if len(classes) < 2:
        raise ConfigError(
            f"'{printable(root)}' has the single class '{printable(classes[0])}', so there is nothing to tell apart; "
            'put the clouds of every class into a directory of its own.'
        )
    for node in open_places:
        node['num_classes'] = len(classes)
    cfg['num_classes'] = len(classes)


def datasets_of(cfg: Config) -> list[Mapping[str, Any]]:
    """The datasets of a config's data loaders, those for training first."""
    loaders = [cfg.get(name) or {} for name in DATALOADERS]
    return [loader['dataset'] for loader in loaders if isinstance(loader.get('dataset'), Mapping)]


def dataset_class(dataset: Mapping[str, Any] | None) -> Any:
    """The class of a dataset's config; None if there is none."""
    return class_of(DATASETS, (dataset or {}).get('type'))
