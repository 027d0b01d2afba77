"""Which file says what in a config."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .names import find_config
from .parts import read_layers, with_parts
from .references import DELETE, bind, is_reference, lay_over

LOADED = 'command line, data_root or work dir'
"""Origin of what is not as the files say."""

Place = tuple[str, ...]


@dataclass(frozen=True)
class Said:
    """Where a value is said; it takes the value's place in a config."""

    path: Path
    place: Place


def origins(config: str | Path, loaded: Config) -> Iterator[tuple[str, Any, str]]:
    """Every value of a config with the file that it comes from, and the name if a reference stands for it.

    Args:
        config (str | Path): File or name.
        loaded (Config): What it has become.

    Yields:
        tuple[str, Any, str]: Place such as ``model.head.num_classes``, value, and origin.
    """
    layers = with_parts(read_layers(find_config(config)))
    values = dict(_leaves(bind(lay_over(layers))))
    marked = [replace(layer, values=_marked(layer.values, layer.path)) for layer in layers]
    said = dict(_leaves(bind(lay_over(marked))))
    for place, value in _leaves(loaded.to_dict()):
        origin = LOADED
        if place in values and values[place] == value:
            at = said.get(place) or said[place + ('',)]
            path = os.path.abspath(at.path)
            path = os.path.relpath(path) if path.startswith(f'{Path.cwd()}{os.sep}') else path
            origin = path if at.place == place else f'{path} ({".".join(at.place)})'
        yield '.'.join(place), value, origin


def _marked(node: Any, path: Path, place: Place = ()) -> Any:
    """What a file says, with the place in place of every value."""
    if is_reference(node) or place[-1:] == (DELETE,):
        return node
    if isinstance(node, Mapping):
        marked = {key: _marked(value, path, (*place, str(key))) for key, value in node.items()}
        return marked or {'': Said(path, place)}
    if isinstance(node, (list, tuple)) and any(isinstance(entry, Mapping) for entry in node):
        return type(node)(_marked(value, path, (*place, str(index))) for index, value in enumerate(node))
    return Said(path, place)


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
