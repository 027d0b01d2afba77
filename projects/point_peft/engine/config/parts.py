"""A config from its parts: a backbone, a task and a method, each in a file of its own.

A config says ``parts = dict(backbone='recon', task='shapenetpart', method='lora')`` and what it changes. It is read as
layers, one a file, of which the later one has the last word:

1. the parts, in this order, each above the files that it inherits;
2. what they say of combinations, in the same order: ``when = {'part_seg': dict(...), 'full and act': dict(...)}``. The
   words are names of the chosen parts and their ``tags``, with ``and``, ``or`` and ``not`` between them;
3. what the config inherits, the config, the command line.

They are merged as MMEngine does, and references such as ``'${num_classes}'`` are bound after that. A part says in which
combinations it works, and why: ``supports = {'not detection': 'the reason.'}``. A config may say such things too.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from mmengine.config import Config, ConfigDict

from ...io.errors import ConfigError, PointPEFTError
from ...io.text import printable
from .files import ConfigFile, one_sentence, parse, read_text
from .names import GROUPS, Combination, config_folders, find_base, find_part, part_files
from .references import bind, lay_over
from .walking import walk_dicts

OWN_KEYS = ('parts', 'tags', 'when', 'supports')
"""Sections that are for putting a config together, and not part of it."""


def read_layers(config: Path | Combination, heirs: tuple[Path, ...] = ()) -> list[ConfigFile]:
    """Read a file and what it inherits; its parts are not among them.

    Files in JSON or YAML, and those that use MMEngine's other ways to inherit, are left to MMEngine, as one layer.

    Args:
        config (Path | Combination): The file; a combination is a file that names its parts and says nothing else.
        heirs (tuple[Path, ...]): The files that are inheriting it.

    Returns:
        list[ConfigFile]: What it inherits before it, each file once, and the file itself at the end.

    Raises:
        ConfigError: A file cannot be read, or inherits itself; names the file and the line.
        MissingFileError: A base does not exist; names similar ones.
    """
    if isinstance(config, Combination):
        return [ConfigFile(config.path, dict(parts=config._asdict()))]
    if config.resolve() in heirs:
        raise ConfigError(f'config {printable(config)} cannot be read: it inherits itself; take that out.')
    with one_sentence(config):
        text = read_text(config) if config.suffix == '.py' else ''
        source = parse(config, text)
        if not text or (source.imports and not source.bases) or '::' in ''.join(source.bases):
            read = Config.fromfile(config.absolute(), import_custom_modules=False)
            list(walk_dicts(read))  # MMEngine imports what is named there when it is looked at
            return [ConfigFile(config, read.to_dict(), text)]
        below: dict[Path, ConfigFile] = {}
        for base in source.bases:
            for layer in read_layers(find_base(base, config), (*heirs, config.resolve())):
                below.setdefault(layer.path.resolve(), layer)
        layers = list(below.values())
        inherited = bind(lay_over(with_parts(layers))) if '_base_' in source.code.co_names else {}
        return [*layers, ConfigFile(config, source.run(ConfigDict(inherited)), text)]


def with_parts(layers: Sequence[ConfigFile]) -> list[ConfigFile]:
    """The layers of the parts that a config names, and its own above them.

    Raises:
        ConfigError: A part is not named, unknown, or does not support another.
    """
    parts = _parts_of(layers)
    if not parts:
        return list(layers)
    below = [layer for part in parts for layer in read_layers(part)]
    every = [*below, *layers]
    words = {part.stem for part in parts}.union(_listed(layer.values.get('tags', ()) for layer in every))
    when = _conditional(every, words, layers[-1].path)
    *rest, own = [*below, *when, *layers]
    importing = [layer.values['custom_imports'] for layer in every if layer.values.get('custom_imports')]
    if len(importing) > 1:  # the config imports what each of them does
        imports = dict(imports=_listed(each['imports'] for each in importing))
        own = replace(own, values={**own.values, 'custom_imports': imports})
    return [
        replace(layer, values={key: value for key, value in layer.values.items() if key not in OWN_KEYS})
        for layer in (*rest, own)
    ]


def read_method(name: str, *, backbone: str, model: str, whose: str) -> dict[str, Any]:
    """What the part of a method says for a model that is there already.

    Of the combination only the types of backbone and model are known, so conditions on datasets are not met.

    Args:
        name (str): Name of the part, or a file.
        backbone (str): Type of the backbone.
        model (str): Type of the model, or of the encoder in a detector.
        whose (str): Who asks, for errors.

    Returns:
        dict: Its sections, such as ``peft``, and what it changes in ``model``; references are not bound.

    Raises:
        ConfigError: There is no such part, or it does not support the combination.
    """
    layers = read_layers(find_part('method', name, Path(whose)))
    words = {Path(name).stem, *_words_of('backbones', backbone), *_words_of('models', model)}
    return lay_over([*layers, *_conditional(layers, words, Path(whose))])


def supported(wanted: Iterable[Combination]) -> list[Combination]:
    """Those whose parts say that they work together, as :func:`~.reading.reason_against` finds out one by one.

    Every part is read once, for lists of thousands of names.
    """
    files = {group: part_files(group) for group in GROUPS}
    said = {path: _said_in(path) for named in files.values() for path in named.values()}

    def works(combination: Combination) -> bool:
        parts = [said[files[group][getattr(combination, group)]] for group in GROUPS]
        words = {*combination}.union(*(tags for tags, _ in parts))
        return all(_met(condition, words) for _, conditions in parts for condition in conditions)

    return [combination for combination in wanted if works(combination)]


def _said_in(path: Path) -> tuple[list[str], list[str]]:
    """Tags of a part, and the conditions without which it does not work."""
    layers = read_layers(path)
    conditions = [condition for layer in layers for condition in _dict(layer, 'supports', str)]
    return _listed(layer.values.get('tags', ()) for layer in layers), conditions


def _words_of(folder: str, kind: str) -> set[str]:
    """Names and tags of the files that build a type; tags count if all of them have them."""
    files = {path.stem: path for base in config_folders() for path in (base / '_base_' / folder).glob('*.py')}
    names, tags = [], []
    for name, path in files.items():
        with suppress(PointPEFTError):
            own = read_layers(path)[-1].values
            section = own.get('backbone') or own.get('model') or {}
            inner = section.get('backbone')
            types = [section.get('type'), inner.get('type') if isinstance(inner, Mapping) else None]
            if kind in [str(found).removeprefix('point_peft.') for found in types]:
                names.append(name)
                tags.append(set(_listed([own.get('tags', ())])))
    return {*names, *(set.intersection(*tags) if tags else ())}


def _conditional(layers: Sequence[ConfigFile], words: set[str], config: Path) -> list[ConfigFile]:
    """What layers say of the combination that has these words.

    Raises:
        ConfigError: One says that it does not work.
    """
    for layer in layers:
        for condition, reason in _dict(layer, 'supports', str).items():
            if not _holds(condition, words, layer.path):
                raise ConfigError(f'{printable(config)}: {reason}')
    return [
        ConfigFile(Path(f'{layer.path}, when {condition}'), values)
        for layer in layers
        for condition, values in _dict(layer, 'when', dict).items()
        if _holds(condition, words, layer.path)
    ]


def _parts_of(layers: Sequence[ConfigFile]) -> list[Path]:
    """The files of the parts that a config names, in the order of their groups; none if it names none."""
    named = {group: (name, file.path) for file in layers for group, name in _dict(file, 'parts', str).items()}
    if named and set(named) != set(GROUPS):
        what = f'should name a {", a ".join(GROUPS)}; it names a {", a ".join(named)}'
        raise ConfigError(f'{printable(layers[-1].path)}: parts {what}.')
    return [find_part(group, *named[group]) for group in GROUPS if named]


def _dict(layer: ConfigFile, key: str, kind: type) -> Mapping[str, Any]:
    """One of the keys of :data:`OWN_KEYS` that are dicts of one kind of values."""
    entries = layer.values.get(key, {})
    if not isinstance(entries, Mapping) or not all(isinstance(value, kind) for value in entries.values()):
        raise ConfigError(
            f'{printable(layer.path)}: {key} is {entries!r}, but should be a dict whose values are {kind.__name__}.'
        )
    return entries


def _holds(condition: Any, words: set[str], path: Path) -> bool:
    """Whether a condition is met by the names and tags of the chosen parts.

    Raises:
        ConfigError: It is none, or has a word that is not known, but nearly is.
    """
    place = f'{printable(path)}: {condition!r}'
    try:
        met = _met(condition, words)
    except Exception as error:  # it is Python, which may fail in any way
        raise ConfigError(f"{place} is no condition, such as 'a', 'not a' or 'a and (b or c)'.") from error
    for word in set(_compiled(condition).co_names) - words:
        near = difflib.get_close_matches(word, words, n=1, cutoff=0.8)
        if near and word not in _known_words():
            raise ConfigError(f"{place}: no part has the name or tag '{word}'; did you mean '{near[0]}'?")
    return met


def _met(condition: Any, words: set[str]) -> bool:
    """Whether a condition is met."""
    code = _compiled(condition)
    return bool(eval(code, {'__builtins__': {}}, {word: word in words for word in code.co_names}))


@cache
def _compiled(condition: Any) -> CodeType:
    return compile(condition, 'condition', 'eval')


def _listed(found: Iterable[Any]) -> list[str]:
    """All texts, which are single or listed, each once."""
    return list(dict.fromkeys(t for texts in found for t in ([texts] if isinstance(texts, str) else texts)))


def _known_words() -> set[str]:
    """Names and tags of all parts that have a name."""
    files = [path for group in GROUPS for path in part_files(group).values()]
    return {path.stem for path in files}.union(*(_tags_in(path, path.stat().st_mtime_ns) for path in files))


@cache
def _tags_in(path: Path, changed: int) -> list[str]:
    """Tags of a part, which is read again when it changes; one that cannot be read has none."""
    with suppress(PointPEFTError):
        return _listed(layer.values.get('tags', ()) for layer in read_layers(path))
    return []
