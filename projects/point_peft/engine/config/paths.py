"""Where a config's data and files are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ...io.errors import ConfigError
from ...io.text import printable
from ...registry import DATASETS
from ...registry.built_from import class_of
from .files import ConfigFile
from .signatures import accepted_arguments
from .walking import DATALOADERS, walk_dicts

PATH_KEYS = (
    'data_root',
    'checkpoint',
    'work_dir',
    'load_from',
    'file',
    'out_dir',
    'ann_file',
    'ann_files',
    'save_dir',
    'pretrained',
)
"""Keys that hold the path of a file or directory."""


def bind_data_root(cfg: Config, files: Sequence[ConfigFile]) -> None:
    """Let a ``data_root`` at the top of a config file hold for the data loaders that it inherits.

    MMEngine uses up the variable of the inherited file when it reads that. Its value is replaced wherever it stands;
    loaders that were given another one keep it.

    Args:
        cfg (Config): The config that was read from the files.
        files (Sequence[ConfigFile]): The files, the config's own at the end.

    Raises:
        ConfigError: The variable reaches no data set.
    """
    new, inherited = cfg.get('data_root'), [file.values.get('data_root') for file in files[:-1]]
    if new is None or not any('data_root' in file.values for file in files):
        return
    for _, node in walk_dicts(cfg):
        if node.get('data_root') is not None and node['data_root'] in inherited:
            node['data_root'] = new
    if inherited and not any(inherited) and not _roots(cfg):
        set_data_root(cfg, new)


def set_data_root(cfg: Config, data_root: str | None) -> None:
    """Point every dataset of a config to another directory.

    Where the config has a top-level ``data_root``, the datasets with the same value change. Where not, or if none
    has it, all datasets of the three data loaders do that take one.

    Raises:
        ConfigError: No dataset takes one.
    """
    old = cfg.get('data_root')
    same = [
        node for place, node in walk_dicts(cfg) if place and old is not None and node.get('data_root') == old
    ]
    nodes = same or _roots(cfg) or list(_datasets_that_take_one(cfg))
    if not nodes and any(cfg.get(name) for name in DATALOADERS):
        kinds = {str(cfg[name].get('dataset', {}).get('type')) for name in DATALOADERS if cfg.get(name)}
        raise ConfigError(
            f"data_root='{printable(data_root)}' has no effect, as {' and '.join(sorted(kinds))} reads no files; "
            'inherit configs/_base_/datasets/folder.py for clouds of your own.'
        )
    for node in nodes:
        node['data_root'] = data_root
    cfg.data_root = data_root


def expand_home(cfg: Config) -> None:
    """Put the home directory in for ``~`` in all paths of a config."""
    for _, node in walk_dicts(cfg):
        for key in PATH_KEYS:
            value = node.get(key)
            if isinstance(value, str) and value.startswith('~'):
                node[key] = str(_expanded(value))
            elif isinstance(value, (list, tuple)) and any(str(entry).startswith('~') for entry in value):
                node[key] = type(value)(_expanded(entry) for entry in value)


def _expanded(path: Any) -> Any:
    """A path with the home directory in it; a user who does not exist stays as he is."""
    try:
        return str(Path(path).expanduser()) if isinstance(path, str) else path
    except RuntimeError:
        return path


def _roots(cfg: Config) -> list[dict[str, Any]]:
    """All dicts below the data loaders that have a ``data_root``."""
    return [node for name in DATALOADERS for _, node in walk_dicts(cfg.get(name)) if 'data_root' in node]


def _datasets_that_take_one(cfg: Config) -> Iterator[dict[str, Any]]:
    """Datasets below the data loaders that take a ``data_root``, though none is given."""
    for name in DATALOADERS:
        for _, node in walk_dicts(cfg.get(name)):
            kind = node.get('type') if isinstance(node, Mapping) else None
            cls = class_of(DATASETS, kind)
            if isinstance(cls, type) and 'data_root' in (accepted_arguments(cls) or ()):
                yield node
