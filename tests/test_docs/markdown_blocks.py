"""Code blocks of markdown files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

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
