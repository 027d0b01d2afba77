"""Numbers in a config that cannot be meant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from ...text import printable
from ..errors import ConfigError
from .walking import DATALOADERS

MAX_SEED = 2**32 - 1
"""Largest seed that NumPy takes."""


def check_values(cfg: Config) -> None:
    """Check the numbers that decide how long and on how much a run trains.

    Raises:
        ConfigError: One is no number, or out of range; says which and what it can be.
    """
    for name in DATALOADERS:
        _check_loader(cfg.get(name) or {}, name)
    loop = cfg.get('train_cfg') or {}
    for key in ('max_epochs', 'max_iters', 'val_interval'):
        if key in loop:
            _check_integer(loop[key], f'train_cfg.{key}', at_least=1)
    optimizer = (cfg.get('optim_wrapper') or {}).get('optimizer') or {}
    for key in ('lr', 'weight_decay'):
        if key in optimizer:
            _check_amount(optimizer[key], f'optim_wrapper.optimizer.{key}')
    clipping = (cfg.get('optim_wrapper') or {}).get('clip_grad') or {}
    for key in ('max_norm', 'clip_value'):  # a negative one would turn the gradients round
        if key in clipping:
            _check_amount(clipping[key], f'optim_wrapper.clip_grad.{key}')
    for key in ('base_batch_size', 'accumulative_counts'):
        section = 'auto_scale_lr' if key == 'base_batch_size' else 'optim_wrapper'
        value = (cfg.get(section) or {}).get(key)
        if value is not None:
            _check_integer(value, f'{section}.{key}', at_least=1)
    seed = (cfg.get('randomness') or {}).get('seed')
    if seed is not None:
        _check_integer(seed, 'randomness.seed', at_least=0, at_most=MAX_SEED)
    for name, hook in (cfg.get('default_hooks') or {}).items():
        for key in ('interval', 'test_interval'):
            if isinstance(hook, Mapping) and hook.get(key) is not None:
                least = -1 if key == 'interval' and name != 'logger' else 1
                _check_integer(hook[key], f'default_hooks.{name}.{key}', at_least=least)


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
