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
        used (frozenset[str]): Variables that its code reads, its own and, as ``_base_.x``, those of its bases.
    """

    path: Path
    values: Mapping[str, Any]
    used: frozenset[str] = frozenset()


class Source(NamedTuple):
    """A file in Python that has not been run.

    Attributes:
        code (CodeType): All but the statement that names the bases.
        bases (tuple[str, ...]): What it inherits.
        is_for_mmengine (bool): Whether it inherits what only MMEngine finds, in other packages or as modules.
        used (frozenset[str]): As in :class:`ConfigFile`.
    """

    code: CodeType
    bases: tuple[str, ...]
    is_for_mmengine: bool
    used: frozenset[str]

    def run(self, inherited: Mapping[str, Any]) -> dict[str, Any]:
        """What the code assigns; names that begin with ``_`` are the file's own.

        Args:
            inherited (Mapping): What ``_base_`` is in it.
        """
        names: dict[str, Any] = {'__file__': self.code.co_filename, BASE: inherited}
        exec(self.code, names)
        kinds = (FunctionType, ModuleType, type)
        return {key: value for key, value in names.items() if key[0] != '_' and not isinstance(value, kinds)}


@cache
def parse(path: Path, text: str) -> Source:
    """The code of a file, with what ``{{...}}`` stands for in MMEngine."""
    text = re.sub(r'\{\{(.*?)\}\}', lambda found: _variable(found[1].strip(' \'"'), path) or found[0], text)
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    base = [
        node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == BASE
    ]
    tree.body = [node for node in tree.body if node not in base]
    names = eval(ast.unparse(base[-1].value)) if base else ()
    bases = (names,) if isinstance(names, str) else tuple(names)
    imports = any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in nodes)
    return Source(
        compile(tree, str(path.absolute()), 'exec'),
        bases,
        any('::' in base for base in bases) or (imports and not bases),
        frozenset(read.union(re.findall(r'\b_base_\.\w+', text))),
    )


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
        advice = '' if isinstance(error, OSError) else '; mend the file'
        raise ConfigError(f'config {printable(path)} cannot be read ({printable(what)}){advice}.') from error


def _variable(name: str, path: Path) -> str | None:
    """What ``{{name}}`` stands for: a variable of the environment, the path of the file, or a value of its bases."""
    if name.startswith('$'):
        variable, _, default = (part.strip() for part in name[1:].partition(':'))
        return os.environ.get(variable, default) or os.environ[variable]
    places = dict(fileDirname=path.parent, fileBasename=path.name, fileBasenameNoExtension=path.stem)
    places['fileExtname'] = path.suffix
    return name if name.startswith(f'{BASE}.') else str(places[name]) if name in places else None
