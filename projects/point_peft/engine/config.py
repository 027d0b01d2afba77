"""Reading a config with what the command line changes in it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .errors import ConfigError, MissingFileError

DATALOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')

MMENGINE_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')
"""Default hooks of MMEngine's runner, which adds them itself unless they are None."""


def load_config(
    path: str | Path, options: Mapping[str, Any] | None = None, work_dir: str | None = None
) -> Config:
    """Read a config file.

    Args:
        path (str | Path): The file.
        options (Mapping | None): ``--cfg-options``. ``data_root`` reaches every dataset, see
            :func:`set_data_root`.
        work_dir (str | None): Directory for logs and checkpoints; by default ``work_dirs/<name of the
            config>``.

    Raises:
        MissingFileError: The file does not exist; names similar ones beside it.
        ConfigError: The file cannot be parsed.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f'config {path} does not exist{_similar_files(path)}')
    try:
        cfg = Config.fromfile(path)
    except (OSError, SyntaxError, KeyError, TypeError, NameError, ImportError) as error:
        raise ConfigError(
            f'config {path} cannot be read ({type(error).__name__}: {error}); mend the file.'
        ) from error
    options = dict(options or {})
    if 'data_root' in options:
        set_data_root(cfg, options['data_root'])
    cfg.merge_from_dict(options)
    drop_absent_hooks(cfg)
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / path.stem)
    return cfg


def set_data_root(cfg: Config, data_root: str) -> None:
    """Point every dataset of a config to another directory.

    A variable ``data_root`` of a config file has been used up when the file was read, so a new value has to
    be written to each dataset. Where the config has a top-level ``data_root``, the datasets (and memory
    banks) with the same value change; where not, all datasets of the three data loaders do.
    """
    old = cfg.get('data_root')
    scope = [cfg] if old is not None else [cfg[name] for name in DATALOADERS if cfg.get(name)]
    for part in scope:
        for _, node in walk_dicts(part):
            if 'data_root' in node and (old is None or node['data_root'] == old):
                node['data_root'] = data_root


def drop_absent_hooks(cfg: Config) -> None:
    """Remove the default hooks that a config sets to None; MMEngine does so for its own hooks only."""
    hooks = cfg.get('default_hooks') or {}
    for name in [name for name, hook in hooks.items() if hook is None and name not in MMENGINE_HOOKS]:
        del hooks[name]


def walk_dicts(node: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    """All dicts in a config with their place, such as ``model.backbone.hooks[0]``, outer ones first."""
    if isinstance(node, (Mapping, Config)):
        yield path, node
        for key, value in node.items():
            yield from walk_dicts(value, f'{path}.{key}' if path else str(key))
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from walk_dicts(value, f'{path}[{index}]')


def _similar_files(path: Path) -> str:
    """Configs with a similar name, beside ``path`` or below ``configs``, as the end of a sentence."""
    paths = {other.name: other for other in (*Path('configs').rglob('*.py'), *path.parent.glob('*.py'))}
    similar = [str(paths[name]) for name in difflib.get_close_matches(path.name, paths, n=3, cutoff=0.7)]
    return f'; did you mean {" or ".join(similar)}?' if similar else '; see configs/ for what there is.'
