"""The code of a config file: what it assigns, reads and inherits, without running it."""

from __future__ import annotations

import ast
import os
import re
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import CodeType

BASE = '_base_'

UNCLEAR = '?'
"""Stands for a base that only the running code would tell."""

BASE_VARIABLE = re.compile(r'\{\{\s*_base_\.([\w.]+)\s*\}\}')
FILE_VARIABLE = re.compile(r'\{\{\s*(file[A-Z]\w+)\s*\}\}')
ENVIRONMENT_VARIABLE = re.compile(r'\{\{\s*\$(\w+)\s*:\s*(.*?)\s*\}\}')
REFERRED = re.compile(r'\$\{(\w+)|\{\{\s*_base_\.(\w+)')


@dataclass(frozen=True)
class Source:
    """What the code of a config says.

    Attributes:
        code (CodeType): The code without the statement that names the bases.
        bases (tuple[str, ...]): The bases, as they are written.
        assigned (frozenset[str]): Variables that it sets at its top.
        used (frozenset[str]): Variables that it reads.
        referred (frozenset[str]): Names that its references start with, ``num_classes`` of ``${num_classes}``.
    """

    code: CodeType
    bases: tuple[str, ...]
    assigned: frozenset[str]
    used: frozenset[str]
    referred: frozenset[str]


def parse(path: Path) -> Source:
    """Parse a config in Python, once for as long as it does not change.

    ``{{_base_.name}}`` becomes the reference ``${name}``.

    Raises:
        OSError: The file cannot be read.
        SyntaxError: It is no Python.
        ValueError: It is no text.
    """
    return _parse(path, path.stat().st_mtime_ns)


@cache
def _parse(path: Path, changed: int) -> Source:
    text = path.read_text(encoding='utf-8')
    named = frozenset(name for pair in REFERRED.findall(text) for name in pair if name)
    text = FILE_VARIABLE.sub(partial(_file_variable, path), BASE_VARIABLE.sub(r"'${\1}'", text))
    text = ENVIRONMENT_VARIABLE.sub(lambda found: os.environ.get(found[1], found[2]), text)
    tree = ast.parse(text, str(path))
    names, loaded = assigned(tree), used(tree)
    bases = tuple(base_names(tree))
    tree.body = [statement for statement in tree.body if not _sets_base(statement)]
    return Source(compile(tree, str(path.absolute()), 'exec'), bases, names, loaded, named)


def assigned(tree: ast.Module) -> frozenset[str]:
    """Names that the statements at the top of a file assign to."""
    names = set()
    for statement in tree.body:
        targets = (
            statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, 'target', None)]
        )
        nodes = (node for target in targets if isinstance(target, ast.AST) for node in ast.walk(target))
        names |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return frozenset(names - {BASE})


def used(tree: ast.Module) -> frozenset[str]:
    """Names that a file reads."""
    return frozenset(
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    )


def base_names(tree: ast.Module) -> list[str]:
    """Files that a config inherits; a computed one is ``?``."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and _sets_base(statement):
            try:
                value = ast.literal_eval(statement.value)
            except (ValueError, TypeError):
                return [UNCLEAR]
            names = value if isinstance(value, (list, tuple)) else [value]
            return [name if isinstance(name, str) else UNCLEAR for name in names]
    return []


def _sets_base(statement: ast.stmt) -> bool:
    """Whether a statement names the bases."""
    return isinstance(statement, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == BASE for target in statement.targets
    )


def _file_variable(path: Path, found: re.Match[str]) -> str:
    """What ``{{ fileBasename }}`` and the like stand for in MMEngine."""
    names = dict(fileDirname=path.parent, fileBasename=path.name, fileBasenameNoExtension=path.stem)
    return str({**names, 'fileExtname': path.suffix}.get(found[1], found[0]))
