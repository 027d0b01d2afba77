"""Numbers in a config that cannot be meant."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Collection, Mapping
from multiprocessing import get_all_start_methods
from typing import Any

from mmengine.config import Config
from torch import nn

from ...io.errors import ConfigError
from ...io.text import printable
from ...registry.scopes import SCOPE, known_scopes
from .walking import DATALOADERS

BACKENDS = ('nccl', 'gloo', 'mpi', 'ucc', 'xccl', 'smddp')
"""Ways in which several processes exchange tensors, by their names in torch and MMEngine."""

MAX_SEED = 2**32 - 1
"""Largest seed that NumPy takes."""


SWITCHES = (
    *(f'{name}.{key}' for name in DATALOADERS for key in ('drop_last', 'pin_memory', 'persistent_workers')),
    'train_cfg.by_epoch',
    'randomness.deterministic',
    'randomness.diff_rank_seed',
    'env_cfg.cudnn_benchmark',
    'auto_scale_lr.enable',
)
"""Places of True or False; any other value would count as True."""

CLIPPING = {
    'norm': ('type', *list(inspect.signature(nn.utils.clip_grad_norm_).parameters)[1:]),
    'value': ('type', *list(inspect.signature(nn.utils.clip_grad_value_).parameters)[1:]),
}
"""Keys of the two ways to clip gradients."""

ENVIRONMENT = {
    'env_cfg': ('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'),
    'env_cfg.mp_cfg': ('mp_start_method', 'opencv_num_threads'),
}
"""Keys that are read of the environment."""


def check_values(cfg: Config) -> None:
    """Check the numbers that decide how long and on how much a run trains.

    Raises:
        ConfigError: One is no number, or out of range; says which and what it can be.
    """
    for name in DATALOADERS:
        _check_loader(cfg.get(name) or {}, name)
    loop = cfg.get('train_cfg') or {}
    for key in ('max_epochs', 'max_iters', 'val_interval', 'val_begin'):
        if key in loop:
            _check_integer(loop[key], f'train_cfg.{key}', at_least=0 if key == 'val_begin' else 1)
    if 'window_size' in (cfg.get('log_processor') or {}):
        _check_integer(cfg.log_processor['window_size'], 'log_processor.window_size', at_least=1)
    optimizer = (cfg.get('optim_wrapper') or {}).get('optimizer') or {}
    for key in ('lr', 'weight_decay'):
        if key in optimizer:
            _check_amount(optimizer[key], f'optim_wrapper.optimizer.{key}')
    clipping = (cfg.get('optim_wrapper') or {}).get('clip_grad') or {}
    kind = 'value' if clipping.get('type') == 'value' else 'norm'
    unknown = [key for key in clipping if key not in CLIPPING[kind]]
    if unknown:
        raise ConfigError(
            f"optim_wrapper.clip_grad has an unknown key '{printable(unknown[0])}'; by {kind} it takes "
            f'{", ".join(CLIPPING[kind])}.'
        )
    for key in ('max_norm', 'clip_value'):  # a negative one would turn the gradients round
        if key in clipping:
            _check_amount(clipping[key], f'optim_wrapper.clip_grad.{key}')
    for key in ('base_batch_size', 'accumulative_counts'):
        section = 'auto_scale_lr' if key == 'base_batch_size' else 'optim_wrapper'
        value = (cfg.get(section) or {}).get(key)
        if value is not None:
            _check_integer(value, f'{section}.{key}', at_least=1)
    check_environment(cfg)
    for place in SWITCHES:
        section, key = place.split('.')
        value = (cfg.get(section) or {}).get(key)
        if value is not None and not isinstance(value, bool):
            raise ConfigError(f'{place} is {printable(repr(value))}; give True or False.')
    seed = (cfg.get('randomness') or {}).get('seed')
    if seed is not None:
        _check_integer(seed, 'randomness.seed', at_least=0, at_most=MAX_SEED)
    for name, hook in (cfg.get('default_hooks') or {}).items():
        for key in ('interval', 'test_interval'):
            if isinstance(hook, Mapping) and hook.get(key) is not None:
                least = -1 if key == 'interval' and name != 'logger' else 1
                _check_integer(hook[key], f'default_hooks.{name}.{key}', at_least=least)


def check_environment(cfg: Config) -> None:
    """Check what the processes of a run are started with, and its log.

    Raises:
        ConfigError: A setting is unknown, or has a value that this machine does not know.
    """
    environment = cfg.get('env_cfg') or {}
    sections = {'env_cfg': environment, 'env_cfg.mp_cfg': environment.get('mp_cfg') or {}}
    for name, section in sections.items():
        unknown = [key for key in section if key not in ENVIRONMENT[name]]
        if unknown:
            known = ', '.join(ENVIRONMENT[name])
            raise ConfigError(f"{name} has an unknown key '{printable(unknown[0])}'; it takes {known}.")
    multiprocessing, distributed = sections['env_cfg.mp_cfg'], environment.get('dist_cfg') or {}
    _check_choice(multiprocessing, 'env_cfg.mp_cfg.mp_start_method', get_all_start_methods())
    if 'opencv_num_threads' in multiprocessing:
        _check_integer(multiprocessing['opencv_num_threads'], 'env_cfg.mp_cfg.opencv_num_threads', at_least=0)
    if 'resource_limit' in environment:
        _check_integer(environment['resource_limit'], 'env_cfg.resource_limit', at_least=1)
    backend = distributed.get('backend', BACKENDS[0])
    # Torch takes one per device too: cpu:gloo,cuda:nccl.
    for part in backend.split(',') if isinstance(backend, str) else [backend]:
        _check_choice({'backend': str(part).rpartition(':')[2]}, 'env_cfg.dist_cfg.backend', BACKENDS)
    if 'timeout' in distributed:
        _check_amount(distributed['timeout'], 'env_cfg.dist_cfg.timeout')
    level = cfg.get('log_level', 'INFO')
    known_name = isinstance(level, str) and isinstance(logging.getLevelName(level), int)
    if not known_name and (not isinstance(level, int) or isinstance(level, bool)):
        raise ConfigError(f'log_level is {printable(repr(level))}; give one of DEBUG, INFO, WARNING, ERROR.')
    scope, scopes = cfg.get('default_scope', SCOPE), known_scopes()
    if not isinstance(scope, str) or scope not in scopes:
        raise ConfigError(
            f"default_scope is {printable(repr(scope))}; leave it at '{SCOPE}', with which the types of this project "
            'and of MMEngine are found; those of other packages have their prefix (mmdet3d.VoteNet).'
        )


def _check_choice(section: Mapping[str, Any], place: str, choices: Collection[str]) -> None:
    """Check a value of which there are a few, where it is given."""
    value = section.get(place.rpartition('.')[2], next(iter(choices)))
    if value not in choices:
        raise ConfigError(f'{place} is {printable(repr(value))}; give one of {", ".join(choices)}.')


def _check_loader(loader: Mapping[str, Any], name: str) -> None:
    """Check a data loader."""
    if 'batch_size' in loader:
        _check_integer(loader['batch_size'], f'{name}.batch_size', at_least=1)
    if 'num_workers' in loader:
        _check_integer(loader['num_workers'], f'{name}.num_workers', at_least=0)
        for key in ('persistent_workers', 'prefetch_factor'):
            if loader['num_workers'] == 0 and loader.get(key):
                raise ConfigError(f'{name}.{key} needs {name}.num_workers of at least 1; change one of them.')


def _check_integer(value: Any, place: str, *, at_least: int, at_most: int | None = None) -> None:
    """Check a whole number."""
    right = isinstance(value, int) and not isinstance(value, bool)
    if not right or value < at_least or (at_most is not None and value > at_most):
        limits = f'of at least {at_least}' if at_most is None else f'from {at_least} to {at_most}'
        raise ConfigError(f'{place} is {printable(repr(value))}; give a whole number {limits}.')


def _check_amount(value: Any, place: str) -> None:
    """Check a number that is zero or more."""
    right = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not right or not math.isfinite(value) or value < 0:
        raise ConfigError(f'{place} is {printable(repr(value))}; give a number of at least 0.')
