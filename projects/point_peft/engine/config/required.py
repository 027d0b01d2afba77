"""What a config cannot do without."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from ...text import printable
from ..errors import ConfigError
from .walking import option_key

COMPONENTS = {
    'backbone',
    'head',
    'auxiliary_head',
    'neck',
    'tuner',
    'data_preprocessor',
    'dataset',
    'init_cfg',
    'sampler',
    'optimizer',
}
"""Keys whose dicts are built from, so that they need a type; so do the entries of the lists below."""

COMPONENT_LISTS = {'hooks', 'transforms', 'pipeline', 'param_scheduler', 'custom_hooks', 'vis_backends'}

LOOPS = {
    'train': ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    'val': ('val_dataloader', 'val_cfg', 'val_evaluator'),
    'test': ('test_dataloader', 'test_cfg', 'test_evaluator'),
}
"""Sections that the runner takes together or not at all."""

SECTIONS_OF_DICTS = ('randomness', 'env_cfg')
"""Sections that may be left out, but not be None."""


def check_whole(cfg: Config) -> None:
    """Check that sections and hooks are dicts.

    Raises:
        ConfigError: Names the section.
    """
    for name in SECTIONS_OF_DICTS:
        if name in cfg and not isinstance(cfg[name], Mapping):
            raise ConfigError(f'{name} is {printable(repr(cfg[name]))}; it must be a dict, or be left out.')
    for name, hook in (cfg.get('default_hooks') or {}).items():
        if isinstance(hook, (str, int, float, list)):
            raise ConfigError(
                f'default_hooks.{name} is {printable(repr(hook))}; give a dict with a type, or None.'
            )
    for index, hook in enumerate(cfg.get('custom_hooks') or ()):
        if isinstance(hook, (str, int, float, list)):
            raise ConfigError(f'custom_hooks[{index}] is {printable(repr(hook))}; give a dict with a type.')
    level = cfg.get('log_level')
    if isinstance(level, str) and not isinstance(logging.getLevelName(level), int):
        raise ConfigError(f'log_level is {printable(repr(level))}; give one of DEBUG, INFO, WARNING, ERROR.')


def check_loops(cfg: Config) -> None:
    """Check that the sections that a runner takes together are there together.

    Raises:
        ConfigError: Names the one that is missing.
    """
    for names in LOOPS.values():
        absent = [name for name in names if cfg.get(name) is None]
        if 0 < len(absent) < len(names):
            there = next(name for name in names if name not in absent)
            raise ConfigError(
                f'{absent[0]} is None but {there} is not; {", ".join(names)} go together: set all of them or none.'
            )


def check_has_type(node: Mapping, path: str) -> None:
    """Refuse a dict without type where something is built from it.

    Raises:
        ConfigError: Names the place.
    """
    last, names = (path.rpartition('[')[0], COMPONENT_LISTS) if path.endswith(']') else (path, COMPONENTS)
    if node and (path == 'model' or last.rpartition('.')[2] in names):
        raise ConfigError(
            f'{path} has no type, so nothing says what to build from it; set {option_key(path)}.type.'
        )


def check_required(node: Mapping, path: str) -> None:
    """Refuse None for a component that cannot be left out.

    Raises:
        ConfigError: Names the place.
    """
    if path == 'model':
        for key in ('backbone', 'head'):
            if key in node and node[key] is None and _has_no_default(node['type'], key):
                raise ConfigError(
                    f'{path}.{key} is None, but {node["type"]} needs one; give a dict with a type.'
                )


def _has_no_default(kind: Any, key: str) -> bool:
    """Whether the model's class has an argument of this name that must be given."""
    from ...registry import MODELS

    target = MODELS.get(kind) if isinstance(kind, str) else kind
    argument = None if target is None else inspect.signature(target).parameters.get(key)
    return argument is not None and argument.default is argument.empty
