"""Code blocks of markdown files, and the tests that run them."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r'^```(\w+)\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def code_blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a language in a file, in their order."""
    return [code for name, code in _BLOCK.findall(path.read_text()) if name == language]


def write_files(blocks: Sequence[str], root: Path) -> list[Path]:
    """Write every block that starts with ``# PATH.py`` to that path below ``root``."""
    written = []
    for block in blocks:
        match = re.match(r'# (\S+\.py)\n', block)
        if match:
            path = root / match.group(1)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block)
            written.append(path)
    return written


def has_test(name: str) -> bool:
    """Whether a test ``FILE::FUNCTION`` is there."""
    file, _, function = name.partition('::')
    if not (ROOT / file).is_file():
        return False
    tree = ast.parse((ROOT / file).read_text())
    return function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
