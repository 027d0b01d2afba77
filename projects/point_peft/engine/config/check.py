"""Finding typos in a config before anything is built.

Every dict with a ``type`` is compared with the signature of what the type names, so a misspelt argument or
name is reported at once, with the nearest right ones.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.runner.loops import EpochBasedTrainLoop, IterBasedTrainLoop, TestLoop, ValLoop
from torch.utils.data import DataLoader

from ...io.errors import ConfigError
from ...io.text import printable
from ...registry.scopes import SCOPE
from . import DATALOADERS
from .required import check_has_type, check_required, check_whole
from .schedule import check_schedule
from .sections import FORMER_TYPES, SECTIONS
from .signatures import accepted_arguments, registries, registries_with, takes_number_only
from .tiers import MissingTierError, check_tiers
from .values import check_values

CONFIG_KEYS = {'type', '_scope_', '_delete_'}
"""Keys that the registries take out of a dict before they build from it."""

BUILDER_KEYS = {
    'hook': {'priority'},
    'parameter scheduler': {'convert_to_iter_based'},
    'optim_wrapper': {'constructor', 'paramwise_cfg'},
}
"""Further keys that MMEngine's builders take, by the name of the registry."""

LOADER_KEYS = {
    'dataset',
    'sampler',
    'batch_sampler',
    'collate_fn',
    'worker_init_fn',
    'num_batch_per_epoch',
    'disable_subprocess_warning',
}
"""Keys of a data loader's config that MMEngine handles."""

OWN_SCOPES = (SCOPE, 'mmengine')
"""Scopes whose types are checked."""

EXPECTED_REGISTRY = {
    'model': 'model',
    'default_hooks': 'hook',
    'custom_hooks': 'hook',
    'train_dataloader': 'dataset',
    'val_dataloader': 'dataset',
    'test_dataloader': 'dataset',
    'val_evaluator': 'metric',
    'test_evaluator': 'metric',
    'param_scheduler': 'parameter scheduler',
}
"""Registry whose names are suggested first, by the top-level key."""

_TYPO_CUTOFF = 0.9
"""Similarity from which an accepted but unused name counts as a misspelling."""


class _UnknownTypeError(ConfigError):
    """A type that no registry has."""


def check_config(cfg: Config) -> None:
    """Check the types and arguments in a config.

    Dicts of another package (``mmdet3d.VoteNet``) are left to that package, but not those of this project in them.

    Raises:
        MissingTierError: A type could not be found, and packages that the config needs are not installed.
        ConfigError: An unknown type, argument or section, with its place and the nearest names.
    """
    check_whole(cfg)
    _check_sections(cfg)
    missing = _load_tiers(cfg)
    try:
        for name, value in cfg.items():
            _check_node(value, name)
    except _UnknownTypeError as error:
        raise (missing or error) from None
    check_values(cfg)
    check_schedule(cfg)


def check_changed(cfg: Config, names: Collection[str]) -> None:
    """Check the sections of a config that got new keys; types that nothing here has are left to :func:`check_config`.

    Args:
        cfg (Config): The config.
        names (Collection[str]): Sections at the top of it.

    Raises:
        ConfigError: An unknown argument or section, with its place and the nearest names.
    """
    _check_sections(cfg)
    for name in names:
        with suppress(_UnknownTypeError):
            _check_node(cfg.get(name), name)


def _load_tiers(cfg: Config) -> MissingTierError | None:
    """Import what the config needs beside this project, since it may bring types; what is missing is no matter yet."""
    try:
        check_tiers(cfg)
    except MissingTierError as error:
        return error
    return None


def _check_sections(cfg: Config) -> None:
    """Check the top-level keys against those of the runner, and the sections that have no ``type``."""
    for name, value in cfg.items():
        similar = difflib.get_close_matches(name, SECTIONS, n=1, cutoff=_TYPO_CUTOFF)
        if name not in SECTIONS and similar and isinstance(value, (dict, list)):
            raise ConfigError(
                f"the config has a section '{name}', which nothing reads; did you mean '{similar[0]}'?"
            )
    for name, hook in (cfg.get('default_hooks') or {}).items():
        if isinstance(hook, Mapping) and 'type' not in hook:
            similar = difflib.get_close_matches(name, [key for key in cfg.default_hooks if key != name], n=1)
            hint = f"did you mean '{similar[0]}'?" if similar else 'give it one.'
            raise ConfigError(f'default_hooks.{name} has no type, so there is no such hook; {hint}')
    for name in DATALOADERS:
        _check_untyped(cfg, name, DataLoader, LOADER_KEYS)
    by_epoch = (cfg.get('train_cfg') or {}).get('by_epoch', True)
    _check_untyped(cfg, 'train_cfg', EpochBasedTrainLoop if by_epoch else IterBasedTrainLoop, {'by_epoch'})
    _check_untyped(cfg, 'val_cfg', ValLoop)
    _check_untyped(cfg, 'test_cfg', TestLoop)
    _check_untyped(cfg, 'randomness', Runner.set_randomness)


def _check_untyped(cfg: Config, name: str, target: Callable, extra: Collection[str] = ()) -> None:
    """Check a section that MMEngine always hands to the same class or function."""
    section = cfg.get(name)
    if isinstance(section, Mapping) and 'type' not in section:
        _check_arguments(
            section, name, target, set(inspect.signature(target).parameters) - {'self'} | set(extra)
        )


def _check_node(node: Any, path: str, *, foreign: bool = False) -> None:
    """Check a value of the config and all below it; what is ``foreign`` is left to its package."""
    if isinstance(node, Mapping):
        # Like a registry: `_scope_` holds for all that is below, the prefix of a type for this dict only.
        around = node['_scope_'] not in OWN_SCOPES if '_scope_' in node else foreign
        here = _is_foreign(node.get('type'), around)
        if 'type' in node and not here:
            _check_typed(node, path)
            check_required(node, path)
        elif 'type' not in node and not around:
            check_has_type(node, path)
        for key, value in node.items():
            _check_node(value, f'{path}.{key}', foreign=around or here)
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            _check_node(value, f'{path}[{index}]', foreign=foreign)


def _is_foreign(kind: Any, around: bool) -> bool:
    """Whether a type belongs to another package, which goes by its prefix, and without one by what is around it."""
    scope, dot, _ = kind.partition('.') if isinstance(kind, str) else ('', '', '')
    return scope not in OWN_SCOPES if dot else around


def _check_typed(node: Mapping, path: str) -> None:
    """Check the type of a dict and its arguments."""
    kind = node['type']
    if callable(kind):
        candidates: list[tuple[Any, set[str]]] = [(kind, set())]
    elif isinstance(kind, str):
        candidates = [
            (registry.get(kind), BUILDER_KEYS.get(registry.name, set())) for registry in registries_with(kind)
        ]
    else:
        return  # a plain dict that has something called type
    if not candidates:
        raise _UnknownTypeError(_unknown_type(kind, path))
    failures = []
    for target, extra in candidates:
        accepted = accepted_arguments(target)
        try:
            _check_arguments(node, path, target, None if accepted is None else accepted | extra)
            _check_numbers(node, path, target)
            return
        except ConfigError as error:
            failures.append(error)
    raise failures[0]


def _check_arguments(node: Mapping, path: str, target: Any, accepted: set[str] | None) -> None:
    """Report an argument ``target`` does not take; where it takes any (None), one that looks misspelt."""
    known = _named_arguments(target) if accepted is None else accepted
    for key in (str(key) for key in node if key not in known and key not in CONFIG_KEYS):
        similar = difflib.get_close_matches(key, known, n=1, cutoff=_TYPO_CUTOFF if accepted is None else 0.5)
        if similar:
            raise ConfigError(
                f"{path}: {target.__name__} got an unknown argument '{key}'; did you mean '{similar[0]}'?"
            )
        if accepted is not None:
            raise ConfigError(
                f"{path}: {target.__name__} got an unknown argument '{key}'; it takes "
                f'{", ".join(sorted(known)) or "none"}.'
            )


def _named_arguments(target: Any) -> set[str]:
    """All arguments that a class or its bases name."""
    names: set[str] = set()
    for cls in inspect.getmro(target) if inspect.isclass(target) else ():
        if '__init__' in vars(cls) and cls is not object:
            names |= set(inspect.signature(vars(cls)['__init__']).parameters)
    return names - {'self', 'args', 'kwargs'}


def _check_numbers(node: Mapping, path: str, target: Any) -> None:
    """Refuse a text where ``target`` takes a number and nothing else."""
    for key, value in node.items():
        if isinstance(value, str) and takes_number_only(target, key):
            raise ConfigError(f'{path}.{key} is {printable(repr(value))}; give a number.')


def _unknown_type(kind: str, path: str) -> str:
    """The sentence for a type that no registry has."""
    expected = EXPECTED_REGISTRY.get(path.partition('.')[0].partition('[')[0])
    names = {name: registry.name == expected for registry in registries() for name in registry.module_dict}
    similar = difflib.get_close_matches(FORMER_TYPES.get(kind, kind), names, n=6, cutoff=0.6)
    similar = sorted(similar, key=lambda name: not names[name])[:3]
    hint = (
        f'; did you mean {" or ".join(repr(name) for name in similar)}?'
        if similar
        else '; check its spelling and imports.'
    )
    return f"{path}: nothing is registered as '{kind}'{hint}"
