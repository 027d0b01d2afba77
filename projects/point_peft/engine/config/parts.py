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
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.utils import import_modules_from_strings

from ...io.errors import ConfigError, PointPEFTError
from ...io.text import printable
from .files import BASE, ConfigFile, read_file, unreadable
from .names import GROUPS, Combination, find_part, part_files
from .references import bind, lay_over

OWN_KEYS = ('parts', 'tags', 'when', 'refuses')
"""Sections that are for putting a config together, and not part of it."""

CONDITION = re.compile(r'(not )?[\w.-]+( \+ (not )?[\w.-]+)*')


def compose(cfg: Config) -> Config:
    """Put the parts beneath a config that MMEngine has read; one that names none stays as it is.

    Args:
        cfg (Config): The config, which is not changed.
    """
    if 'parts' not in cfg:
        return cfg
    path = Path(cfg.filename or 'the config')
    return finished(with_parts([ConfigFile(path, frozenset(cfg), values=cfg.to_dict())]), cfg.text)


def finished(layers: Sequence[ConfigFile], text: str) -> Config:
    """The config of layers, with the modules imported that it asks for.

    Args:
        layers (Sequence[ConfigFile]): All that is laid over one another in it.
        text (str): What the config is kept with.

    Raises:
        ConfigError: A module cannot be imported.
    """
    path = layers[-1].path
    cfg = Config(bind(lay_over(layers)), cfg_text=text, filename=str(path))
    if cfg.get('custom_imports'):
        try:
            import_modules_from_strings(**cfg.custom_imports)
        except ImportError as error:
            raise ConfigError(
                f'{printable(path)}: custom_imports fails ({printable(error)}); put the directory of the module on '
                'PYTHONPATH.'
            ) from error
    return cfg


def reason_against(combination: Combination) -> str | None:
    """Why three parts do not work together; None if they do."""
    try:
        bind(lay_over(with_parts(run(read_file(combination)))))
    except PointPEFTError as error:
        return str(error).partition(f'{combination.path}: ')[2] or str(error)
    return None


def run(file: ConfigFile) -> list[ConfigFile]:
    """Run the code of a file and of its bases.

    Returns:
        list[ConfigFile]: These files with what each of them says, the file itself at the end.

    Raises:
        ConfigError: The code fails, or a base has no plain name.
    """
    if file.foreign:
        raise ConfigError(
            f'{printable(file.path)}: with parts, {BASE} names files or METHOD/BACKBONE_TASK as plain texts.'
        )
    below = [layer for base in file.bases for layer in run(base)]
    if file.code is None:
        return [*below, file]
    names: dict[str, Any] = {'__file__': str(file.path)}
    if BASE in file.used:  # as in MMEngine, what the bases say together
        names[BASE] = ConfigDict(bind(lay_over(with_parts(below))))
    try:
        exec(file.code, names)
    except (Exception, SystemExit) as error:  # a config is a program, which may fail in any way
        raise unreadable(file.path, error, [file]) from error
    kinds = (FunctionType, ModuleType, type)
    said = {key: value for key, value in names.items() if key[0] != '_' and not isinstance(value, kinds)}
    return [*below, replace(file, values=said)]


def with_parts(layers: Sequence[ConfigFile]) -> list[ConfigFile]:
    """The layers of the parts that a config names, and its own above them.

    Raises:
        ConfigError: A part is not named, unknown, or refuses another.
    """
    parts = _parts_of(layers)
    if not parts:
        return list(layers)
    below = [layer for group in GROUPS for layer in run(read_file(parts[group]))]
    words = {path.stem for path in parts.values()} | _tags(below)
    known = words | _names_and_tags()
    for layer in below:
        for _, reason in _that_hold(layer, 'refuses', words, known):
            raise ConfigError(f'{_who_names(layers)}: {reason}')
    conditional = [
        ConfigFile(Path(f'{layer.path}, when {condition}'), frozenset(values), values=values)
        for layer in below
        for condition, values in _that_hold(layer, 'when', words, known)
    ]
    return [
        replace(layer, values={key: value for key, value in layer.values.items() if key not in OWN_KEYS})
        for layer in [*below, *conditional, *layers]
    ]


def _parts_of(layers: Sequence[ConfigFile]) -> dict[str, Path]:
    """The files of the parts that a config names, by group; none at all if it names none."""
    parts: dict[str, Path] = {}
    for layer in layers:
        named = layer.values.get('parts', {})
        texts = isinstance(named, Mapping) and all(isinstance(name, str) for name in named.values())
        if not texts or not set(named) <= set(GROUPS):
            raise ConfigError(
                f'{layer.path}: parts is {named!r}, but should be dict(backbone=..., task=..., method=...).'
            )
        parts |= {group: find_part(group, name, layer.path.parent) for group, name in named.items()}
    missing = [group for group in GROUPS if group not in parts]
    if parts and missing:
        raise ConfigError(f'{_who_names(layers)}: parts names no {" and no ".join(missing)}.')
    return parts


def _who_names(layers: Sequence[ConfigFile]) -> Path:
    """The last file that names parts."""
    return [layer.path for layer in layers if 'parts' in layer.values][-1]


def _that_hold(layer: ConfigFile, key: str, words: Set[str], known: Set[str]) -> Iterator[tuple[str, Any]]:
    """What a part says of combinations, as far as the condition is met.

    Args:
        layer (ConfigFile): File of a part.
        key (str): ``when`` or ``refuses``.
        words (Set[str]): Names and tags of the chosen parts.
        known (Set[str]): Names and tags of all parts.

    Raises:
        ConfigError: A condition is none, or has a word that is not known, but nearly is.
    """
    entries, kind = layer.values.get(key, {}), str if key == 'refuses' else Mapping
    if not isinstance(entries, Mapping) or not all(isinstance(value, kind) for value in entries.values()):
        what = 'sentences' if kind is str else 'dicts'
        raise ConfigError(
            f'{printable(layer.path)}: {key} is {printable(entries)}, but should be a dict of {what}.'
        )
    for condition, value in entries.items():
        if not CONDITION.fullmatch(condition):
            raise ConfigError(
                f"{printable(layer.path)}: '{condition}' is no condition, which would be 'a', 'not a' or 'a + not b'."
            )
        terms = {term.removeprefix('not '): not term.startswith('not ') for term in condition.split(' + ')}
        for word in set(terms) - known:
            for near in difflib.get_close_matches(word, known, n=1, cutoff=0.8):
                raise ConfigError(
                    f"{printable(layer.path)}: '{condition}': no part has the name or tag '{word}'; "
                    f"did you mean '{near}'?"
                )
        if all((word in words) == wanted for word, wanted in terms.items()):
            yield condition, value


def _tags(layers: Sequence[ConfigFile]) -> set[str]:
    """All tags in some layers."""
    named = [layer.values.get('tags', ()) for layer in layers]
    return {tag for tags in named for tag in ([tags] if isinstance(tags, str) else tags)}


def _names_and_tags() -> set[str]:
    """Names and tags of all parts that have a name."""
    files = [path for group in GROUPS for path in part_files(group).values()]
    return {path.stem for path in files}.union(*(_tags_in(path, path.stat().st_mtime_ns) for path in files))


@cache
def _tags_in(path: Path, changed: int) -> set[str]:
    """Tags of a part, which is read again when it changes."""
    return _tags(run(read_file(path)))
