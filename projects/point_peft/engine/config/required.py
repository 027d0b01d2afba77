"""What a config cannot do without."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook

from ...io.errors import ConfigError
from ...io.text import printable
from .walking import DATALOADERS, option_key

COMPONENTS = {
    'backbone',
    'head',
    'auxiliary_head',
    'neck',
    'peft',
    'data_preprocessor',
    'dataset',
    'init_cfg',
    'sampler',
    'optimizer',
}
"""Keys whose dicts are built from, so that they need a type; so do the entries of the lists below."""

COMPONENT_LISTS = {'hooks', 'transforms', 'pipeline', 'param_scheduler', 'custom_hooks', 'vis_backends'}

PLAIN = (str, int, float, list, tuple, type(None))
"""Types of what a config holds where it holds no dict."""

LOOPS = {
    'train': ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    'val': ('val_dataloader', 'val_cfg', 'val_evaluator'),
    'test': ('test_dataloader', 'test_cfg', 'test_evaluator'),
}
"""Sections that the runner takes together or not at all."""

ALWAYS_DICTS = ('randomness', 'env_cfg')
"""Sections that may be left out, but not be None."""

DICTS = (
    *DATALOADERS,
    'train_cfg',
    'val_cfg',
    'test_cfg',
    'optim_wrapper',
    'auto_scale_lr',
    'default_hooks',
    'log_processor',
    'visualizer',
    'data_preprocessor',
    'model',
    'model_wrapper_cfg',
    'env_cfg.dist_cfg',
    'optim_wrapper.paramwise_cfg',
    'optim_wrapper.clip_grad',
    *(f'{name}.{key}' for name in DATALOADERS for key in ('sampler', 'batch_sampler')),
)
"""Places where a dict stands, or None."""

GIVEN_DICTS = (
    'env_cfg.mp_cfg',
    'optim_wrapper.optimizer',
    *(f'{name}.dataset' for name in DATALOADERS),
)
"""Places where a dict stands, and None is no choice."""

LISTS = ('custom_hooks', 'param_scheduler', 'val_evaluator', 'test_evaluator')
"""Sections with a list of dicts, or, but for the first, a single dict; or None."""

TEXTS = ('work_dir', 'load_from', 'experiment_name')
"""Sections that are a text, or None."""


def check_whole(cfg: Config) -> None:
    """Check that every section is what MMEngine takes there: a dict, a list of dicts, or a text.

    Raises:
        ConfigError: Names the section.
    """
    for name in ALWAYS_DICTS:
        if name in cfg and not isinstance(cfg[name], Mapping):
            raise ConfigError(f'{name} is {printable(repr(cfg[name]))}; it must be a dict, or be left out.')
    for place in (*DICTS, *GIVEN_DICTS):
        _check_dict(cfg, place)
    for name, hook in (cfg.get('default_hooks') or {}).items():
        if hook is not None and not isinstance(hook, (Mapping, Hook)):
            raise ConfigError(
                f'default_hooks.{name} is {printable(repr(hook))}; give a dict with a type, or None.'
            )
    for name in LISTS:
        _check_list(cfg, name)
    names = cfg.get('activation_checkpointing')
    if names is not None and not isinstance(names, (str, list, tuple)):
        raise ConfigError(
            f'activation_checkpointing is {printable(repr(names))}; give the names of blocks, or None.'
        )
    for name in TEXTS:
        if cfg.get(name) is not None and not isinstance(cfg[name], str):
            raise ConfigError(f'{name} is {printable(repr(cfg[name]))}; give a text, or None.')


def _check_dict(cfg: Config, place: str) -> None:
    """Check one of the places where a dict stands."""
    section, _, key = place.partition('.')
    holder = cfg.get(section) if key else cfg
    if not isinstance(holder, Mapping | Config) or (key or section) not in holder:
        return
    value = holder[key or section]
    # What is built already, as MMEngine allows in a program, is no plain value.
    if (
        isinstance(value, Mapping)
        or not isinstance(value, PLAIN)
        or (value is None and place not in GIVEN_DICTS)
    ):
        return
    other = 'a dict' if place in (*GIVEN_DICTS, 'model') else 'a dict, or None'
    raise ConfigError(f'{place} is {printable(repr(value))}; give {other}.')


def _check_list(cfg: Config, name: str) -> None:
    """Check one of the sections with several dicts."""
    value = cfg.get(name)
    if isinstance(value, (list, tuple)):
        wrong = [index for index, entry in enumerate(value) if isinstance(entry, PLAIN)]
        if wrong:
            raise ConfigError(
                f'{name}[{wrong[0]}] is {printable(repr(value[wrong[0]]))}; give a dict with a type.'
            )
    elif value is not None and isinstance(value, PLAIN):
        raise ConfigError(f'{name} is {printable(repr(value))}; give a list of dicts, or None.')
    elif name == 'custom_hooks' and isinstance(value, Mapping):
        raise ConfigError(f'{name} is a dict; give a list of dicts.')


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
