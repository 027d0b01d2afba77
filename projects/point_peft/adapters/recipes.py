"""What an adapter is built from: a named part of a config, configs of methods, or the config in a file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from ..engine.config.parts import read_method
from ..engine.config.signatures import accepted_arguments
from ..heads import Head
from ..io.errors import ConfigError
from ..io.text import printable
from ..methods import TuningMethod
from ..registry import MODELS
from .errors import AdapterError

Method = str | Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""Name of a part in ``configs/_base_/methods``, config of one method, list of these, or a ``peft`` section."""

NAMES_FILES = ('init_cfg', 'checkpoint', 'pretrained')
"""Arguments that would make a type read other files."""


def recipe(method: Method, types: Mapping[str, str]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Configs of methods, and what they change in the head.

    Args:
        method: See :data:`Method`.
        types (Mapping): ``backbone`` and ``model``: their types, for what a part says of them.

    Raises:
        AdapterError: It is nothing of this kind.
        ConfigError: There is no such part, or it does not support the model.
    """
    head: dict[str, Any] = {}
    if isinstance(method, str):
        found = read_method(method, **types, whose='get_peft_model')
        if 'peft' not in found:
            raise AdapterError(
                f"method '{printable(method)}' tunes the whole network, so it makes no adapter; choose another one."
            )
        head = (found.get('model') or {}).get('head') or {}
        method = found['peft']
    if isinstance(method, Mapping):
        method = method.get('methods', [method])
    if isinstance(method, str) or not isinstance(method, Sequence):
        raise AdapterError(
            f'{method!r:.80} is no tuning method; give the name of one, a dict with its type, or a list of such dicts.'
        )
    return checked_methods(method, 'get_peft_model'), dict(head)


def with_changes(methods: Sequence[dict[str, Any]], changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Methods with other arguments; each goes to all that take it.

    Raises:
        AdapterError: None takes it; names those that are similar.
    """
    changed = deepcopy(list(methods))
    accepted = [accepted_arguments(MODELS.get(method['type'])) or set() for method in changed]
    for name, value in changes.items():
        takers = [method for method, names in zip(changed, accepted) if name in names]
        if not takers:
            every = sorted(set().union(*accepted))
            near = difflib.get_close_matches(name, every, n=2) or every
            kinds = ', '.join(method['type'] for method in changed) or 'none'
            raise AdapterError(
                f'{name}={value!r:.60} goes to none of the methods ({kinds}); '
                f'they take {", ".join(near) or "nothing"}.'
            )
        for method in takers:
            method[name] = value
    return changed


def checked_methods(methods: Any, source: str) -> list[dict[str, Any]]:
    """Configs of methods, made sure to build nothing else.

    A file may come from anywhere, and a registry imports whatever a type names; so only what is registered is taken.

    Raises:
        ConfigError: Something in them is no tuning method, or unknown.
    """
    if not isinstance(methods, Sequence) or isinstance(methods, str):
        raise ConfigError(
            f'{source}: the methods are {methods!r:.60}, but should be a list of dicts with a type.'
        )
    return [_checked(method, TuningMethod, 'tuning method', source) for method in methods]


def checked_head(head: Any, source: str) -> dict[str, Any] | None:
    """As :func:`checked_methods`, of a head; None for None."""
    return None if head is None else _checked(head, Head, 'head', source)


def _checked(config: Any, base: type, what: str, source: str) -> dict[str, Any]:
    kind = config.get('type') if isinstance(config, Mapping) else None
    name = kind.removeprefix('point_peft.') if isinstance(kind, str) else getattr(kind, '__name__', None)
    MODELS.import_from_location()
    registered = MODELS.module_dict.get(name)
    if not (isinstance(registered, type) and issubclass(registered, base)):
        raise ConfigError(
            f'{source}: {printable(f"{kind!r:.60}")} is no {what} that is registered; correct its type, or import the '
            'module that defines it first.'
        )
    accepted = accepted_arguments(registered)
    unknown = [key for key in config if accepted is not None and key not in accepted | {'type', '_scope_'}]
    if unknown:
        near = difflib.get_close_matches(str(unknown[0]), accepted or (), n=1)
        hint = f'; did you mean {near[0]!r}?' if near else f'; it has {", ".join(sorted(accepted or ()))}.'
        raise ConfigError(f'{source}: {name} has no argument {printable(f"{unknown[0]!r:.60}")}{hint}')
    found: dict[str, Any] = _without_types({**config, 'type': name}, source, depth=0)
    return found


def _without_types(value: Any, source: str, depth: int) -> Any:
    """A config in plain containers, in which no inner type builds anything that is not registered."""
    if isinstance(value, Mapping):
        inner = value.get('type')
        if depth and inner is not None and str(inner).removeprefix('point_peft.') not in MODELS.module_dict:
            raise ConfigError(f'{source}: {inner!r:.60} is no registered type.')
        return {
            str(key): _without_types(item, source, depth + 1)
            for key, item in value.items()
            if key not in NAMES_FILES
        }
    if isinstance(value, (list, tuple)):
        return type(value)(_without_types(item, source, depth + 1) for item in value)
    return value
