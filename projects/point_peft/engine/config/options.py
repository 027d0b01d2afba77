"""What ``--cfg-options`` changes in a config."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from ...io.errors import ConfigError
from ...io.shipped import call_of
from ...io.text import printable
from .paths import PATH_KEYS, set_data_root
from .signatures import takes_text

FLAG = '--cfg-options'

TEXT_KEYS = (*PATH_KEYS, 'type', 'experiment_name', 'prefix', 'backend', 'metric')
"""Keys whose values are texts, also where nothing stands yet."""

WORDS = {'True': True, 'true': True, 'False': False, 'false': False}


class OptionText(str):
    """Text of a value on the command line, which gets its type from the value that it replaces."""


class ConfigOptions(argparse.Action):
    """Collects ``KEY=VALUE`` as it is written: spaces, commas and digits of a value stay."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add the pairs to those of earlier flags."""
        options = dict(getattr(namespace, self.dest) or {})
        for text in values or ():
            key, equals, value = text.partition('=')
            if not equals or not all(key.strip().split('.')):
                raise argparse.ArgumentError(
                    self, f"'{printable(text)}' is not KEY=VALUE; quote a value that has spaces."
                )
            options[key.strip()] = OptionText(value)
        setattr(namespace, self.dest, options)


def apply_option(cfg: Config, key: str, value: Any) -> Any:
    """Put a value into a config.

    Args:
        cfg (Config): The config.
        key (str): Where, such as ``param_scheduler.0.end``; numbers address the entries of lists.
        value (Any): The value; an :class:`OptionText` gets the type of what it replaces.

    Returns:
        Any: The value with its type.

    Raises:
        ConfigError: The place does not exist, or holds another kind of value.
    """
    old = _find(cfg, key)
    if isinstance(value, OptionText):
        value = parse_value(str(value), old, key, is_text=key.rpartition('.')[2] in TEXT_KEYS)
        if old is None and isinstance(value, (int, float)) and _takes_text(cfg, key):
            value = str(value)
    if key == 'data_root':
        set_data_root(cfg, value)
    place, new = key, value
    while '.' in place and not isinstance(new, Mapping):  # MMEngine changes no entries that are plain values
        parent, _, last = place.rpartition('.')
        entries = _find(cfg, parent)
        if not isinstance(entries, (list, tuple)):
            break
        place, new = parent, type(entries)([*entries[: int(last)], new, *entries[int(last) + 1 :]])
    try:
        cfg.merge_from_dict({place: new})
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f'{FLAG} {printable(key)}: the config has nothing there that could be changed; '
            f'look with {call_of("misc/print_config.py")}.'
        ) from error
    return value


def is_new(cfg: Config, key: str) -> bool:
    """Whether a dotted key leads to a place that a config does not have; one that holds None is there."""
    parent, dot, last = key.rpartition('.')
    node = _find(cfg, parent) if dot else cfg
    return node is None or (isinstance(node, (Mapping, Config)) and last not in node)


def parse_value(text: str, old: Any, key: str, *, is_text: bool = False) -> Any:
    """Give a text from the command line the type of the value it replaces.

    Where a text stands, it is taken letter by letter, but for a list in brackets where no path or name belongs; in
    quotes it is a text everywhere. ``None`` takes a value away.

    Args:
        text (str): What was written behind ``=``.
        old (Any): What stands there; None if nothing does.
        key (str): The place, for messages.
        is_text (bool): Whether only a text belongs there.

    Raises:
        ConfigError: The text is no value of that kind.
    """
    literal = _literal(text)
    if isinstance(literal, str):
        return literal
    if text == 'None':
        return None
    if isinstance(old, str) or (old is None and is_text):
        bracketed = text[:1] in ('[', '(', '{') and isinstance(literal, (list, tuple, dict))
        return literal if bracketed and not is_text else text  # scenes by number where a file of them stands
    if isinstance(old, bool):
        found = WORDS.get(text, _REFUSED)
    elif isinstance(old, (int, float)):
        found = _number(text)
        if found is _REFUSED and isinstance(literal, (list, tuple)):
            found = literal  # one value for each stage, where one for all stands
        elif isinstance(old, float) and isinstance(found, int):
            found = float(found)
    elif isinstance(old, (list, tuple)):
        found = _sequence(text, literal, old)
    elif isinstance(old, Mapping):
        found = literal if isinstance(literal, dict) else _REFUSED
    else:
        found = _free(text, literal)
    if found is _REFUSED:
        raise ConfigError(
            f"{FLAG} {printable(key)}={printable(text)}: {_kind(old)} stands there, which '{printable(text)}' is not; "
            'give such a value, None, or a text in quotes.'
        )
    return found


_REFUSED = object()


def _find(cfg: Config, key: str) -> Any:
    """What stands at a place; None if nothing does.

    Raises:
        ConfigError: The place is within something that has no parts, or behind the end of a list.
    """
    node: Any = cfg
    parts = key.split('.')
    for depth, part in enumerate(parts):
        place = printable('.'.join(parts[:depth]))
        if isinstance(node, (Mapping, Config)):
            if part not in node:
                return None
            node = node[part]
        elif isinstance(node, (list, tuple)):
            if not part.isdecimal() or int(part) >= len(node):
                raise ConfigError(
                    f'{FLAG} {printable(key)}: {place} is a list of {len(node)}; address its entries as '
                    f'{place}.0 to {place}.{max(len(node) - 1, 0)}.'
                )
            node = node[int(part)]
        else:
            raise ConfigError(
                f'{FLAG} {printable(key)}: {place} is {printable(repr(node))}, which has no parts; set {place} itself.'
            )
    return node


def _takes_text(cfg: Config, key: str) -> bool:
    """Whether what the config builds at a place takes a text there, as its signature says."""
    parent, _, name = key.rpartition('.')
    node = _find(cfg, parent) if parent else None
    return isinstance(node, Mapping) and takes_text(node.get('type'), name)


def _literal(text: str) -> Any:
    """The value of a Python literal; None for anything else."""
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _number(text: str) -> Any:
    """An integer or a float."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return _REFUSED


def _sequence(text: str, literal: Any, old: Sequence) -> Any:
    """A list or tuple of the kind that stands there; commas separate the entries, brackets around them are optional."""
    sample = old[0] if len(old) else None
    if isinstance(literal, (list, tuple)) and not (
        isinstance(sample, str) and any(not isinstance(entry, str) for entry in literal)
    ):
        return _like(old, literal)
    if isinstance(sample, (Mapping, list, tuple)):
        return _REFUSED
    inner = text.strip()
    if inner[:1] + inner[-1:] in ('[]', '()'):
        inner = inner[1:-1]
    entries = [part.strip() for part in inner.split(',')] if inner.strip() else []
    if isinstance(sample, str):
        quoted = [_literal(entry) for entry in entries]
        return _like(old, [q if isinstance(q, str) else entry for q, entry in zip(quoted, entries)])
    values = [_free(entry, _literal(entry)) for entry in entries]
    if isinstance(sample, (int, float)) and any(not isinstance(value, (int, float)) for value in values):
        return _REFUSED
    return _like(old, values)


def _like(old: Sequence, entries: Sequence) -> Sequence:
    """Entries as a tuple where one stands, else as a list."""
    return tuple(entries) if isinstance(old, tuple) else list(entries)


def _free(text: str, literal: Any) -> Any:
    """A value where nothing says what it should be: a Python literal, numbers with commas between them, or a text."""
    if text in WORDS:
        return WORDS[text]
    if isinstance(literal, (int, float, list, dict)) or (
        isinstance(literal, tuple) and text.strip().startswith('(')
    ):
        return literal
    numbers = [_number(part) for part in text.split(',')]
    if all(number is not _REFUSED for number in numbers):
        return numbers[0] if len(numbers) == 1 else numbers
    if text.startswith('[') and text.endswith(']'):
        entries = [entry.strip() for entry in text[1:-1].split(',')]
        return [_free(entry, _literal(entry)) for entry in entries]
    return text


def _kind(old: Any) -> str:
    """What kind of value stands somewhere, as part of a sentence."""
    kinds = {bool: 'True or False', int: 'a number', float: 'a number', list: 'a list', tuple: 'a tuple'}
    return 'a section' if isinstance(old, Mapping) else kinds.get(type(old), f'a {type(old).__name__}')
