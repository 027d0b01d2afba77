"""Variables at the top of a config that look as if they had an effect.

Helpers that a file uses itself are welcome; what nothing reads, but somebody may rely on, is refused.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from mmengine.config import Config

from ...io.errors import ConfigError
from ...io.shipped import call_of
from ...io.text import printable
from .files import ConfigFile
from .options import FLAG
from .sections import OTHER_NAMES, PLACES, RENAMED, SECTIONS
from .walking import find_leaves, walk_dicts

EVERYWHERE = (*SECTIONS, 'data_root')
"""Keys that work at the top of a file and on the command line."""

PLAIN_SECTIONS = ('work_dir', 'load_from', 'resume', 'log_level', 'experiment_name', 'default_scope')
"""Sections that are a single value."""

_CUTOFF = 0.85
"""Similarity from which a name that nothing uses counts as a misspelt setting."""


def check_variables(cfg: Config, files: Sequence[ConfigFile]) -> None:
    """Refuse variables of config files that nothing reads, if they replace an inherited one or look like a setting.

    Those that look like a setting, but are used in their file, are taken out of the config: it will be written to the
    work dir without the file, where they would seem to be settings.

    Raises:
        ConfigError: There is one; says what was probably meant.
    """
    effective = bound_last(files).union(EVERYWHERE)
    for number, file in enumerate(files):
        for name in sorted(file.values.keys() - effective):
            heirs = [other for other in files if f'_base_.{name}' in names_read(other.text)]
            used = name in names_read(file.text) or any(other is not file for other in heirs)
            meant = setting_for(name)
            if used:
                if meant:
                    cfg.pop(name, None)
                continue
            if meant:
                raise ConfigError(
                    f"'{name}' in {printable(file.path)} has no effect, as nothing reads it; did you mean {meant}?"
                )
            inherited = [base for base in files[:number] if name in base.values]
            if inherited and (heirs or any(name in names_read(base.text) for base in inherited)):
                raise ConfigError(
                    f"'{name}' in {printable(file.path)} has no effect, as the inherited value was used up when its "
                    f'file was read; set {_suggest(cfg, name) or "what it stands for"} itself.'
                )


def check_options(cfg: Config, files: Sequence[ConfigFile], options: Mapping[str, Any]) -> None:
    """Refuse options that change nothing that anything reads.

    Raises:
        ConfigError: There is one; says what was probably meant.
    """
    used = frozenset[str]().union(*(names_read(file.text) for file in files))
    effective = bound_last(files).union(EVERYWHERE)
    for key in options:
        name = key.partition('.')[0]
        if name in effective:
            continue
        if name not in cfg:
            meant = setting_for(name) or _suggest(cfg, key)
            hint = f'did you mean {meant}?' if meant else f'look with {call_of("misc/print_config.py")}.'
            raise ConfigError(f"{FLAG} {printable(key)}: the config has no '{printable(name)}'; {hint}")
        if {name, f'_base_.{name}'} & used:
            meant = _suggest(cfg, key)
            shown = f'set what it stands for; {call_of("misc/print_config.py")} shows it.'
            hint = f'set {meant}.' if meant else shown
            raise ConfigError(
                f"{FLAG} {printable(key)} has no effect, as the variable '{name}' was used up when the config was "
                f'read; {hint}'
            )


def bound_last(files: Sequence[ConfigFile]) -> frozenset[str]:
    """Names that something refers to, so that a change of them reaches it."""
    return frozenset(re.findall(r'\$\{(\w+)', repr([file.values for file in files])))


@cache
def names_read(text: str) -> frozenset[str]:
    """Variables that the code of a file reads, its own and, as ``_base_.x``, those of its bases."""
    nodes = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name))
    own = (node.id for node in nodes if isinstance(node.ctx, ast.Load))
    return frozenset([*own, *re.findall(r'\b_base_\.\w+', text)])


def setting_for(name: str) -> str | None:
    """The setting that a name at the top probably means; None if it looks like none."""
    plain = name.lower().replace('-', '_')
    if plain in RENAMED:
        return RENAMED[plain]
    known = {**{other: PLACES[name] for other, name in OTHER_NAMES.items()}, **PLACES}
    known |= {section: section for section in PLAIN_SECTIONS}
    similar = difflib.get_close_matches(plain, known, n=1, cutoff=_CUTOFF)
    return known[similar[0]] if similar else None


def _suggest(cfg: Config, key: str) -> str | None:
    """Places in a config that have the last part of a key, or one like it; None if there are none."""
    name = key.rpartition('.')[2]
    sections = [place for place in SECTIONS if place in cfg]
    within = _leaf_names(cfg[section] for section in sections)
    similar = difflib.get_close_matches(name, [*within, *sections], n=1, cutoff=0.75)
    if not similar:
        return None
    found = [place for place in find_leaves(cfg, similar[0]) if place.partition('.')[0] in SECTIONS]
    return ' or '.join(found[:3]) or similar[0]


def _leaf_names(sections: Iterable[Any]) -> list[str]:
    """Names of all plain values in some sections."""
    names = {
        str(key): None
        for section in sections
        for _, node in walk_dicts(section)
        for key, value in node.items()
        if not isinstance(value, Mapping)
    }
    return list(names)
