"""The command ``point-peft``: every tool of ``tools/`` by a name, from any directory: ``point-peft train --help``.

A tool runs in this process as ``python tools/NAME.py`` would run it, so its output, its signals and its exit code are
its own.
"""

from __future__ import annotations

import ast
import difflib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from ..io.shipped import TOOLS, command_of
from ..io.text import printable
from ..version import __version__

PROGRAM = 'point-peft'

FIRST = ('train', 'test', 'infer', 'demo', 'list', 'browse', 'bank', 'convert')
"""Commands at the top of the list."""

COMPARISONS = 'experiments'
"""Folder of tools whose files are what ``run.py`` in it reads."""

MISUSED = 2
"""Exit code of a command line that cannot be understood, as argparse has it."""


def main() -> int:
    """Run a tool, or say which there are.

    Returns:
        int: Exit code; a tool that ends with one of its own raises ``SystemExit``.
    """
    given, tools = sys.argv[1:], find_tools()
    if not given or given[0] in ('-h', '--help'):
        print(
            f'usage: {PROGRAM} COMMAND ...\n\n{listing(tools)}\n\n{PROGRAM} COMMAND --help says what it takes.'
        )
        return 0 if given else MISUSED
    name, *arguments = given
    if name == '--version':
        print(f'{PROGRAM} {__version__}')
        return 0
    if name not in tools:
        near = difflib.get_close_matches(name, tools, n=1)
        advice = f'did you mean {near[0]}?' if near else 'these there are:'
        print(
            f"error: there is no command '{printable(name)}'; {advice}\n\n{listing(tools)}", file=sys.stderr
        )
        return MISUSED
    # Read when PyTorch is imported: threads that wait must not take the processor from other programs.
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    run(tools[name], f'{PROGRAM} {name}', arguments)
    return 0


def find_tools() -> dict[str, Path]:
    """All tools by the name of their command."""
    files = [file for file in (*TOOLS.glob('*.py'), *TOOLS.glob('*/*.py')) if file.parent.name != COMPARISONS]
    named = {command_of(file): file for file in (*sorted(files), TOOLS / COMPARISONS / 'run.py')}
    return {name: named[name] for name in (*FIRST, *sorted(named.keys() - set(FIRST)))}


def listing(tools: Mapping[str, Path]) -> str:
    """What every command does, a line each."""
    width = max(map(len, tools))
    return '\n'.join(f'  {name:{width}}  {_purpose(file)}' for name, file in tools.items())


def _purpose(file: Path) -> str:
    """What a tool says of itself first, without how it is called."""
    said = ast.get_docstring(ast.parse(file.read_text(encoding='utf-8'))) or file.name
    return said.splitlines()[0].partition(': ``')[0].rstrip('.')


def run(tool: Path, program: str, arguments: list[str]) -> None:
    """Run a file as the main program of this process, under a name of its own.

    ``runpy`` would put the file's name in the usage. Processes that this one spawns import ``__main__`` by its file.
    """
    module = ModuleType('__main__')
    module.__file__ = str(tool)
    sys.modules['__main__'] = module
    sys.argv = [program, *arguments]
    exec(compile(tool.read_bytes(), str(tool), 'exec'), module.__dict__)
