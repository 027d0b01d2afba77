"""Which file says what in a config."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .names import find_config
from .parts import read_layers, with_parts
from .references import CHANGED, bind, is_reference, lay_over

LOADED = 'command line, data_root or work dir'
"""Origin of what is not as the files say."""

Place = tuple[str, ...]


def origins(config: str | Path, loaded: Config) -> Iterator[tuple[str, Any, str]]:
    """Every value of a config with the file that it comes from, and the name if a reference stands for it.

    Args:
        config (str | Path): File or name.
        loaded (Config): What it has become.

    Yields:
        tuple[str, Any, str]: Place such as ``model.head.num_classes``, value, and origin.
    """
    layers = with_parts(read_layers(find_config(config)))
    said = {place: _shown(layer.path) for layer in layers for place, _ in _leaves(layer.values)}
    unbound = lay_over(layers)
    values = dict(_leaves(bind(unbound)))
    for place, value in _leaves(loaded.to_dict()):
        as_said = place in values and values[place] == value
        yield '.'.join(place), value, _origin(place, unbound, said) if as_said else LOADED


def _origin(place: Place, unbound: Mapping[str, Any], said: Mapping[Place, str]) -> str:
    """The last file that says what is at a place, or at the one that a reference on the way to it stands for."""
    node: Any = unbound
    for depth in range(len(place) + 1):
        reference: Any = node.get(CHANGED) if isinstance(node, Mapping) and place not in said else node
        if is_reference(reference):
            target = (*reference[2:-1].split('.'), *place[depth:])
            found = _origin(target, unbound, said)
            return found if '(' in found else f'{found} ({".".join(target)})'
        if depth < len(place):
            key = place[depth]
            node = node[int(key)] if isinstance(node, (list, tuple)) else node.get(key)
    return said.get(place, LOADED)


def _shown(path: Path) -> str:
    """A path without detours, relative to the working directory if it is below that."""
    absolute = os.path.abspath(path)
    return os.path.relpath(path) if Path(absolute).is_relative_to(Path.cwd()) else absolute


def _leaves(node: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Plain values, with their places; a list is one if no dict is in it."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from _leaves(value, (*place, str(key)))
    elif isinstance(node, (list, tuple)) and any(isinstance(entry, Mapping) for entry in node):
        for index, value in enumerate(node):
            yield from _leaves(value, (*place, str(index)))
    else:
        yield place, node
