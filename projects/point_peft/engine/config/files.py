"""The files of a config as they are written: what each one inherits, assigns and reads, found without running it."""

from __future__ import annotations

import ast
import os
import re
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from mmengine.fileio import load
from yaml import YAMLError

from ...io.errors import ConfigError, MissingFileError
from ...io.text import printable
from .names import Combination, find_config, similar_configs

BASE = '_base_'

_FILE_VARIABLE = re.compile(r'\{\{\s*(file[A-Z]\w+)\s*\}\}')
_ENVIRONMENT_VARIABLE = re.compile(r'\{\{\s*\$(\w+)\s*:\s*(.*?)\s*\}\}')
_BASE_VARIABLE = re.compile(r'\{\{\s*_base_\.([\w.]+)\s*\}\}')
_REFERRED = re.compile(r'\$\{(\w+)')
_READ_FROM_BASE = re.compile(r'\b_base_\.\w+')


@dataclass(frozen=True)
class ConfigFile:
    """One of the files that make up a config, or what a part says when it meets certain others.

    Attributes:
        path (Path): Where it is.
        assigned (frozenset[str]): Variables that it sets at its top.
        used (frozenset[str]): Variables that its code reads, its own and, as ``_base_.x``, those of its bases.
        referred (frozenset[str]): Names that it refers to, as ``${x}`` or ``{{_base_.x}}``.
        bases (tuple[ConfigFile, ...]): The files it inherits.
        foreign (bool): Whether it also inherits what only MMEngine finds: computed names, files of packages.
        code (CodeType | None): Its code without the names of its bases.
        values (Mapping): Its sections, once the code has been run; empty before that.
    """

    path: Path
    assigned: frozenset[str]
    used: frozenset[str] = frozenset()
    referred: frozenset[str] = frozenset()
    bases: tuple[ConfigFile, ...] = ()
    foreign: bool = False
    code: CodeType | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def in_order(self) -> list[ConfigFile]:
        """All that it inherits, and the file itself at the end."""
        return [*(file for base in self.bases for file in base.in_order()), self]


def read_file(config: Path | Combination, heirs: tuple[Path, ...] = ()) -> ConfigFile:
    """Read a config file and its bases.

    Args:
        config (Path | Combination): The file; a combination is a file that names its parts and says nothing else.
        heirs (tuple[Path, ...]): The files that are inheriting it.

    Raises:
        ConfigError: A file cannot be read, or inherits itself; names the file and the line.
        MissingFileError: A base does not exist; names similar ones.
    """
    path, shown = config if isinstance(config, Path) else config.path, printable(config)
    if path.resolve() in heirs:
        raise ConfigError(
            f'config {printable(heirs[0])} cannot be read: {shown} inherits itself ({BASE}); take one of the links out.'
        )
    try:
        text = path.read_text(encoding='utf-8') if isinstance(config, Path) else config.text
        if path.suffix != '.py':
            loaded = load(path)
            values = loaded if isinstance(loaded, Mapping) else {}
            return ConfigFile(path, frozenset(values), foreign=BASE in values, values=values)
        file, names = _parse(path, _substituted(path, text))
    except UnicodeDecodeError as error:
        raise ConfigError(
            f'config {shown} cannot be read: it is not UTF-8 (byte {error.start}); save it as UTF-8.'
        ) from error
    except OSError as error:
        raise ConfigError(f'config {shown} cannot be read ({error.strerror}).') from error
    except (
        SyntaxError,
        ValueError,
        YAMLError,
        RecursionError,
        MemoryError,
    ) as error:  # ValueError: a null byte, JSON
        line = f' in line {error.lineno}' if isinstance(error, SyntaxError) and error.lineno else ''
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise ConfigError(
            f'config {shown} cannot be read (SyntaxError{line}: {printable(reason)}); mend the file.'
        ) from error
    bases = tuple(read_file(_find_base(name, path), (*heirs, path.resolve())) for name in names)
    return replace(file, bases=bases)


def unreadable(path: Path, error: BaseException, files: Iterable[ConfigFile]) -> ConfigError:
    """The sentence for a config whose code fails: type, text and line of the error.

    Args:
        path (Path): The config.
        error (BaseException): What it raised.
        files (Iterable[ConfigFile]): The files that the line may be in.
    """
    if isinstance(error, ImportError) and isinstance(error.__cause__, ImportError):
        error = error.__cause__  # MMEngine's own message lists the whole module path
    own = {str(file.path.absolute()): file.path for file in files}
    places = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in own]
    where = f' in {printable(own[places[-1].filename])}, line {places[-1].lineno}' if places else ''
    what = f'{type(error).__name__}{where}: {printable(" ".join(str(error).split()))}'
    return ConfigError(f'config {printable(path)} cannot be read ({what}); mend the file.')


def _substituted(path: Path, text: str) -> str:
    """The text of a config with ``{{fileBasename}}``, ``{{$VARIABLE:default}}`` and, as ``${x}``, ``{{_base_.x}}``."""
    places = dict(fileDirname=path.parent, fileBasename=path.name, fileBasenameNoExtension=path.stem)
    places['fileExtname'] = path.suffix
    text = _FILE_VARIABLE.sub(lambda found: str(places.get(found[1], found[0])), text)
    text = _ENVIRONMENT_VARIABLE.sub(lambda found: os.environ.get(found[1], found[2]), text)
    return _BASE_VARIABLE.sub(r"'${\1}'", text)


@cache
def _parse(path: Path, text: str) -> tuple[ConfigFile, list[str]]:
    """A file in Python without its bases, and their names."""
    tree = ast.parse(text, str(path))
    read = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    names, foreign = _base_names(tree)
    tree.body = [statement for statement in tree.body if BASE not in _targets(statement)]
    file = ConfigFile(
        path,
        assigned=frozenset(name for statement in tree.body for name in _targets(statement)),
        used=frozenset(read.union(_READ_FROM_BASE.findall(text))),
        referred=frozenset(_REFERRED.findall(text)),
        foreign=foreign,
        code=compile(tree, str(path.absolute()), 'exec'),
    )
    return file, names


def _targets(statement: ast.stmt) -> set[str]:
    """Names that a statement at the top of a file assigns to."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, 'target', None)]
    nodes = (node for target in targets if isinstance(target, ast.AST) for node in ast.walk(target))
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _base_names(tree: ast.Module) -> tuple[list[str], bool]:
    """The bases that are plain names of files, and whether there are others."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and BASE in _targets(statement):
            try:
                value = ast.literal_eval(statement.value)
            except (ValueError, TypeError):
                return [], True
            names = value if isinstance(value, (list, tuple)) else [value]
            plain = [name for name in names if isinstance(name, str) and '::' not in name]
            return plain, len(plain) < len(names)
    return [], False


def _find_base(base: str, path: Path) -> Path | Combination:
    """A base of the config in ``path``: a file beside it, or a name."""
    for candidate in (path.parent / Path(base).expanduser(), Path(base)):
        try:
            return find_config(candidate)
        except MissingFileError:
            continue
    raise MissingFileError(
        f"config {printable(path)} cannot be read: its base '{printable(base)}' does not exist"
        f'{similar_configs(path.parent / base)}'
    )
