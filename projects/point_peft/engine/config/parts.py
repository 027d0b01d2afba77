"""A config from its parts: a backbone, a task and a method, each in a file of its own.

A config says ``parts = dict(backbone='recon', task='shapenetpart', method='lora')`` and what it changes. What comes
later has the last word:

1. what the parts say, in this order;
2. what each part says of combinations, in the same order: ``when = {'part_seg': dict(...), 'full + act': dict(...)}``.
   The words are names of parts and their ``tags``; ``not full`` is for all but these;
3. the config's own bases, then the config, then the command line.

References such as ``'${num_classes}'`` are bound after that. A part that cannot work with others says so:
``refuses = {'detection': 'the reason.'}``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from ...text import printable
from ..errors import ConfigError, PointPEFTError
from .layers import Layer, located, read_layers
from .names import GROUPS, Combination, find_config, find_part, part_files
from .references import bind, lay_over

OWN_KEYS = ('parts', 'tags', 'when', 'refuses')
"""Sections that are for putting a config together, and not part of it."""


def compose(cfg: Config) -> Config:
    """Put the parts beneath a config that MMEngine has read; one that names none stays as it is.

    Args:
        cfg (Config): The config, which is not changed.
    """
    if 'parts' not in cfg:
        return cfg
    values = located(cfg.to_dict(), Path(cfg.filename or '').parent)
    return finished(with_parts([Layer(cfg.filename or 'the config', values)]), cfg.text, cfg.filename)


def finished(layers: Sequence[Layer], text: str, filename: str | None) -> Config:
    """The config of layers, with the modules imported that it asks for.

    Args:
        layers (Sequence[Layer]): All that is laid over one another in it.
        text (str): What the config is kept with.
        filename (str | None): What it is called.

    Raises:
        ConfigError: A module cannot be imported.
    """
    cfg = Config(bind(lay_over(layers)), cfg_text=text, filename=filename)
    if cfg.get('custom_imports'):
        try:
            import_modules_from_strings(**cfg.custom_imports)
        except ImportError as error:
            raise ConfigError(
                f'{printable(filename)}: custom_imports fails ({printable(error)}); put the directory of the module on '
                'PYTHONPATH.'
            ) from error
    return cfg


def layers_of(config: str | Path) -> list[Layer]:
    """All that is laid over one another in a config, the last word last.

    Args:
        config (str | Path): File or name.
    """
    return with_parts(read_layers(find_config(config), together))


def reason_against(combination: Combination) -> str | None:
    """Why three parts do not work together; None if they do."""
    try:
        together(read_layers(combination, together))
    except PointPEFTError as error:
        return str(error).partition(f'{combination}: ')[2] or str(error)
    return None


def together(layers: Sequence[Layer]) -> dict[str, Any]:
    """One config of layers, with the parts that they name."""
    return bind(lay_over(with_parts(layers)))


def with_parts(layers: Sequence[Layer]) -> list[Layer]:
    """The layers of the parts that a config names, and its own above them.

    Raises:
        ConfigError: A part is not named, unknown, or refuses another.
    """
    parts = _named_parts(layers)
    if not parts:
        return list(layers)
    below = [
        layer for group, name in parts.items() for layer in read_layers(find_part(group, name), together)
    ]
    words = {Path(name).stem for name in parts.values()} | tags_of(below)
    known = words | _names_and_tags()
    conditional = []
    for layer in below:
        for _, reason in _that_hold(layer, 'refuses', words, known):
            raise ConfigError(f'{_who_names(layers)}: {reason}')
        for condition, values in _that_hold(layer, 'when', words, known):
            conditional.append(Layer(f'{layer.origin}, when {condition}', values, frozenset(values)))
    return [*map(_without_own_keys, below), *conditional, *map(_without_own_keys, layers)]


def holds(condition: str, words: Set[str], known: Set[str]) -> bool:
    """Whether a condition of ``when`` or ``refuses`` is met.

    Args:
        condition (str): Words joined by ``+``, each with or without ``not`` in front.
        words (Set[str]): Names and tags of the chosen parts.
        known (Set[str]): Names and tags of all parts.

    Raises:
        ConfigError: It is none, or a word is not known, but nearly is.
    """
    terms = [term.split() for term in condition.split('+')]
    if not all(len(term) == 1 or (len(term) == 2 and term[0] == 'not') for term in terms):
        raise ConfigError(f"'{condition}' is no condition, which would be 'a', 'not a' or 'a + not b'.")
    for *_, word in terms:
        near = difflib.get_close_matches(word, known, n=1, cutoff=0.8) if word not in known else []
        if near:
            raise ConfigError(
                f"'{condition}': no part has the name or tag '{word}'; did you mean '{near[0]}'?"
            )
    return all((word in words) != (negation == ['not']) for *negation, word in terms)


def _that_hold(layer: Layer, key: str, words: Set[str], known: Set[str]) -> Iterator[tuple[str, Any]]:
    """What a part says of combinations that are met."""
    said, kind = layer.values.get(key, {}), str if key == 'refuses' else Mapping
    if not isinstance(said, Mapping) or not all(isinstance(value, kind) for value in said.values()):
        what = 'sentences' if kind is str else 'dicts'
        raise ConfigError(
            f'{printable(layer.origin)}: {key} is {printable(said)}, but should be a dict of {what}.'
        )
    for condition, value in said.items():
        try:
            if holds(condition, words, known):
                yield condition, value
        except ConfigError as error:
            raise ConfigError(f'{printable(layer.origin)}: {error}') from None


def tags_of(layers: Sequence[Layer]) -> set[str]:
    """All tags in some layers."""
    return {tag for layer in layers for tag in _as_list(layer.values.get('tags', ()))}


def _names_and_tags() -> Set[str]:
    """Names and tags of all parts that have a name."""
    files = [path for group in GROUPS for path in part_files(group).values()]
    return {path.stem for path in files}.union(*(_tags(path, path.stat().st_mtime_ns) for path in files))


@cache
def _tags(path: Path, changed: int) -> Set[str]:
    """Tags of a part, which is read again when it changes."""
    return tags_of(read_layers(path, together))


def _named_parts(layers: Sequence[Layer]) -> dict[str, str]:
    """The parts that a config names, by group; none at all if it names none."""
    parts: dict[str, str] = {}
    for layer in layers:
        named = layer.values.get('parts', {})
        texts = isinstance(named, Mapping) and all(isinstance(name, str) for name in named.values())
        if not texts or not set(named) <= set(GROUPS):
            raise ConfigError(
                f'{layer.origin}: parts is {named!r}, but should be dict(backbone=..., task=..., method=...).'
            )
        parts.update(named)
    missing = [group for group in GROUPS if group not in parts]
    if parts and missing:
        raise ConfigError(f'{_who_names(layers)}: parts names no {" and no ".join(missing)}.')
    return {group: parts[group] for group in GROUPS} if parts else {}


def _who_names(layers: Sequence[Layer]) -> str:
    """The last file that names parts."""
    return [layer.origin for layer in layers if 'parts' in layer.values][-1]


def _without_own_keys(layer: Layer) -> Layer:
    """What a layer says of the config itself."""
    return replace(layer, values={key: value for key, value in layer.values.items() if key not in OWN_KEYS})


def _as_list(value: Any) -> Sequence[Any]:
    """A name as a list of one."""
    return [value] if isinstance(value, str) else value
