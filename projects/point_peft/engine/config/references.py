"""Laying the layers of a config over one another, and putting what ``${name}`` stands for in its place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...io.errors import ConfigError
from ...io.text import printable
from .files import ConfigFile

REFERENCE = re.compile(r'\$\{([\w.]+)\}')
DELETE = '_delete_'
CHANGED = '_changed_'
"""Key of a dict that changes what a reference stands for; it holds the reference."""


def lay_over(layers: Sequence[ConfigFile]) -> dict[str, Any]:
    """Layers laid over one another, the last on top, before references are bound.

    Raises:
        ConfigError: A dict meets something that is no dict.
    """
    values: dict[str, Any] = {}
    for layer in layers:
        for section, value in layer.values.items():
            values[section] = merge(values.get(section), value, f'{printable(layer.path)}: {section}')
    return values


def merge(under: Any, over: Any, place: str) -> Any:
    """Lay a value over another as MMEngine does on the command line; neither is modified.

    Dicts are merged, unless the upper one has ``_delete_=True``; a dict whose keys are numbers changes entries of a
    list; a dict over a reference changes what it stands for; anything else replaces what is below. MMEngine's own
    function knows no references, changes no entries of tuples, and does not say where it fails.

    Args:
        under: What is there.
        over: What has the last word.
        place (str): Where this is, for errors.

    Raises:
        ConfigError: A dict meets something that is no dict, or an entry that a list does not have.
    """
    if not isinstance(over, Mapping) or over.get(DELETE) or under is None:
        return over
    if is_reference(under):
        return {CHANGED: under, **over}
    if isinstance(under, Mapping):
        return {**under, **{key: merge(under.get(key), over[key], f'{place}.{key}') for key in over}}
    if isinstance(under, (list, tuple)) and set(over) <= set(map(str, range(len(under)))):
        return type(under)(merge(old, over.get(str(i), old), f'{place}.{i}') for i, old in enumerate(under))
    entries = f' with {len(under)} entries' if isinstance(under, (list, tuple)) else ''
    raise ConfigError(
        f'{place} is {under!r}{entries}, which {dict(over)!r} cannot change; add _delete_=True to replace it.'
    )


def bind(values: Mapping[str, Any]) -> dict[str, Any]:
    """Replace every reference by a copy of what it stands for.

    A reference is a whole string, ``'${num_classes}'`` or ``'${backbone.embed_dim}'``; it names a place in ``values``.

    Raises:
        ConfigError: A reference to nothing, to itself over others, or inside a longer string.
    """

    def value_of(node: Any, place: str, open_: tuple[str, ...]) -> Any:
        if isinstance(node, Mapping):
            if CHANGED in node:
                changes = {key: value for key, value in node.items() if key != CHANGED}
                node = merge(value_of(node[CHANGED], place, open_), changes, place)
            return {k: value_of(v, f'{place}.{k}', open_) for k, v in node.items() if k != DELETE}
        if isinstance(node, (list, tuple)):
            return type(node)(value_of(v, f'{place}.{i}', open_) for i, v in enumerate(node))
        if is_reference(node):
            return look_up(node[2:-1], place, open_)
        if isinstance(node, str) and '${' in node:
            raise ConfigError(
                f'{place} is {node!r}, but a reference is a whole string such as "${{num_classes}}".'
            )
        return node

    def look_up(name: str, place: str, open_: tuple[str, ...]) -> Any:
        if name in open_:
            raise ConfigError(f'references go in a circle: {" -> ".join((*open_, name))}, met at {place}.')
        node: Any = values
        for key in name.split('.'):
            if is_reference(node) or (isinstance(node, Mapping) and CHANGED in node):
                node = value_of(node, place, (*open_, name))
            try:
                node = node[int(key)] if isinstance(node, (list, tuple)) else node[key]
            except (KeyError, IndexError, TypeError, ValueError):
                near = difflib.get_close_matches(name, values, n=2)
                hint = f'; did you mean {" or ".join(near)}?' if near else ', which no part has.'
                raise ConfigError(f'{place} refers to ${{{name}}}{hint}') from None
        return value_of(node, place, (*open_, name))

    return {key: value_of(value, key, ()) for key, value in values.items()}


def is_reference(node: Any) -> bool:
    """Whether a value is a reference."""
    return isinstance(node, str) and REFERENCE.fullmatch(node) is not None
