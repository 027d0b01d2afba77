"""Reading a config: its files, or those of its parts, and what they say together."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ...io.errors import ConfigError
from ...io.text import printable
from .files import ConfigFile, read_file, unreadable
from .names import Combination, find_config
from .parts import compose, finished, run, with_parts
from .references import lay_over, nested
from .walking import walk_dicts

SUFFIXES = ('.py', '.json', '.yaml', '.yml')

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Errors of a disk that nothing can be written to."""


def read_config(
    path: str | Path, changes: Mapping[str, Any] | None = None
) -> tuple[Config, list[ConfigFile]]:
    """Read a config and what it inherits.

    Args:
        path (str | Path): The file, ``~`` being the home directory, or the name METHOD/BACKBONE_TASK.
        changes (Mapping | None): Values that have the last word before references are bound; keys may have dots.

    Returns:
        tuple[Config, list[ConfigFile]]: The config, and the files it was read from. What a file inherits is before it,
        the config's own file at the end.

    Raises:
        MissingFileError: There is no such file or name; says similar ones.
        ConfigError: It or one of its bases or parts cannot be read; names the file and the line.
    """
    found = find_config(path)
    if isinstance(found, Path) and found.suffix not in SUFFIXES:
        raise ConfigError(
            f"config '{printable(found)}' is no config; its name would end in {' or '.join(SUFFIXES)}."
        )
    file = read_file(found)
    files = file.in_order()
    if any('parts' in each.assigned for each in files):
        files = with_parts(run(file))
        change = replace(file, values=nested(changes or {}))
        text = found.text if isinstance(found, Combination) else found.read_text(encoding='utf-8')
        return finished([*files, change], text), files
    try:  # parts can still turn up, in bases that only MMEngine finds
        cfg = Config.fromfile(file.path)
        for _ in walk_dicts(cfg):  # what a config imports, MMEngine looks for when it is read from the config
            pass
    except (Exception, SystemExit) as error:  # a config is a program, which may fail in any way
        if isinstance(error, OSError) and error.errno in FULL:
            raise ConfigError(
                f'config {printable(file.path)} cannot be read, as MMEngine copies it to {tempfile.gettempdir()} '
                f'({error.strerror}); make room there, or set TMPDIR to another directory.'
            ) from error
        raise unreadable(file.path, error, files) from error
    return compose(cfg), [_read_at_once(each) for each in files]


def read_up_to(files: Sequence[ConfigFile], number: int) -> Mapping[str, Any]:
    """What a config says without the files after one of them.

    Args:
        files (Sequence[ConfigFile]): Its files, as :func:`read_config` returns them.
        number (int): Which one.
    """
    below = files[: number + 1]
    return lay_over(below) if any(file.values for file in below) else read_config(files[number].path)[0]


def bound_last(files: Sequence[ConfigFile]) -> frozenset[str]:
    """Names that something refers to, so that a change of them reaches it."""
    return frozenset(name for file in files for name in file.referred)


def _read_at_once(file: ConfigFile) -> ConfigFile:
    """A file as MMEngine reads it: the value that a reference finds then is the one that counts."""
    used = file.used.union(f'_base_.{name}' for name in file.referred)
    return replace(file, used=used, referred=frozenset(), values={})
