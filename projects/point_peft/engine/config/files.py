"""One file of a config: what it inherits, says and reads."""

from __future__ import annotations

import ast
import os
import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from ...io.errors import ConfigError, PointPEFTError
from ...io.text import printable

BASE = '_base_'


@dataclass(frozen=True)
class ConfigFile:
    """One of the layers that make up a config: a file, or what a part says when it meets certain others.

    Attributes:
        path (Path): Where it is.
        values (Mapping): What it says itself, by section.
        text (str): Its code, with what ``{{...}}`` stands for in MMEngine.
    """

    path: Path
    values: Mapping[str, Any]
    text: str = ''


class Source(NamedTuple):
    """The code of a file, which has not been run.

    Attributes:
        bases (tuple[str, ...]): What it inherits.
        code (CodeType): All but the statement that says so.
        imports (bool): Whether it imports anything.
    """

    bases: tuple[str, ...]
    code: CodeType
    imports: bool

    def run(self, inherited: Mapping[str, Any]) -> dict[str, Any]:
        """What the code assigns; names that begin with ``_`` are the file's own.

        Args:
            inherited (Mapping): What ``_base_`` is in it.
        """
        names: dict[str, Any] = {'__file__': self.code.co_filename, BASE: inherited}
        exec(self.code, names)
        kinds = (FunctionType, ModuleType, type)
        return {key: value for key, value in names.items() if key[0] != '_' and not isinstance(value, kinds)}


def read_text(path: Path) -> str:
    """The text of a file, with what ``{{...}}`` stands for in MMEngine."""
    return re.sub(r'\{\{(.*?)\}\}', lambda found: _variable(found, path), path.read_text(encoding='utf-8'))


@cache
def parse(path: Path, text: str) -> Source:
    """The code of a file in Python."""
    tree = ast.parse(text)
    base = [n for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == BASE]
    bases = eval(ast.unparse(base[0].value), {}) if base else ()
    imports = any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.walk(tree))
    tree.body = [node for node in tree.body if node not in base]
    code = compile(tree, str(path.absolute()), 'exec')
    return Source((bases,) if isinstance(bases, str) else tuple(bases), code, imports)


@contextmanager
def one_sentence(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong in a config, which is a program, into type, line and text of the error.

    Raises:
        ConfigError: Something does.
    """
    try:
        yield
    except PointPEFTError:
        raise
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f' in line {frame.lineno}' for frame in frames if frame.filename == str(path.absolute())]
        what = ' '.join(f'{type(error).__name__}{"".join(lines[-1:])}: {error}'.split())
        advice = '' if isinstance(error, OSError) else '; correct the file'
        raise ConfigError(f'config {printable(path)} cannot be read ({printable(what)}){advice}.') from error


def _variable(found: re.Match[str], path: Path) -> str:
    """What ``{{name}}`` stands for: a variable of the environment, a part of the path, a value of the bases, itself."""
    name = found[1].strip(' \'"')
    if name.startswith('$'):
        variable, _, default = (part.strip() for part in name[1:].partition(':'))
        return os.environ.get(variable, default) or os.environ[variable]
    places = dict(fileDirname=path.parent, fileBasename=path.name, fileBasenameNoExtension=path.stem)
    places['fileExtname'] = path.suffix
    return name if name.startswith(f'{BASE}.') else str(places.get(name, found[0]))
