"""The command ``point-peft``."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

import pytest
import toy_tools

from point_peft.cli.main import FIRST, find_tools, main
from point_peft.io.shipped import TOOLS

COMMANDS = find_tools()


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    """Exit code of a command line; ``__main__`` is given back afterwards."""
    monkeypatch.setattr(sys, 'argv', ['/somewhere/bin/point-peft', *arguments])
    monkeypatch.setenv('OMP_WAIT_POLICY', 'PASSIVE')  # or it would be set for the tests to come
    monkeypatch.setitem(sys.modules, '__main__', sys.modules['__main__'])
    try:
        return main()
    except SystemExit as end:
        return end.code


def has_main(file: Path) -> bool:
    """Whether a file does something when it is run."""
    tests = [node.test for node in ast.parse(file.read_text()).body if isinstance(node, ast.If)]
    return any(ast.unparse(test) == "__name__ == '__main__'" for test in tests)


def test_every_tool_has_a_command() -> None:
    """All files that can be run, and no others; the names of no two are the same."""
    assert list(COMMANDS)[: len(FIRST)] == list(FIRST)
    assert sorted(COMMANDS.values()) == sorted(file for file in TOOLS.rglob('*.py') if has_main(file))


@pytest.mark.parametrize('name', COMMANDS)
def test_help(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """It is the tool's, under the command's name."""
    assert call(monkeypatch, name, '--help') == 0
    said = capsys.readouterr().out
    assert said.startswith(f'usage: point-peft {name} ')


def test_list_of_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """Every command with what it does; nothing to run is no success."""
    assert call(monkeypatch, '--help') == 0
    said = capsys.readouterr().out
    lines = [line.split(maxsplit=1) for line in said.splitlines() if line.startswith('  ')]
    assert [words[0] for words in lines] == list(COMMANDS) and all(len(words) == 2 for words in lines)
    assert dict(lines)['train'] == 'Train a model' and '``' not in said
    assert call(monkeypatch) == 2


@pytest.mark.parametrize(
    ('name', 'advice'), [('trian', 'did you mean train?'), ('\x1b[2J', 'these there are:')]
)
def test_unknown_command(
    name: str, advice: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """The nearest one, and all there are."""
    assert call(monkeypatch, name, 'x') == 2
    captured = capsys.readouterr()
    assert captured.out == '' and '\x1b' not in captured.err
    assert advice in captured.err and all(f'\n  {command} ' in captured.err for command in COMMANDS)


def test_ends_as_the_tool_does() -> None:
    """Its output, its sentence and its exit code; in a process of its own, whose signals it handles."""
    program = 'import sys; from point_peft.cli.main import main; sys.exit(main())'
    code, said = toy_tools.run_python('-c', program, 'list', '--method', 'lroa')
    assert code == 1 and said.startswith("error: there is no method 'lroa'; there is lora")
    chosen = ['--method', 'lora', '--backbone', 'act', '--task', 'shapes', '--names']
    assert toy_tools.run_python('-c', program, 'list', *chosen) == (0, 'lora/act_shapes\n')


@pytest.mark.parametrize('own', [None, 'ACTIVE'])
def test_waiting_threads_sleep(own: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the user says otherwise."""
    monkeypatch.setenv('OMP_WAIT_POLICY', own or '')
    if own is None:
        monkeypatch.delenv('OMP_WAIT_POLICY')
    found: list[str | None] = []
    monkeypatch.setattr('point_peft.cli.main.run', lambda *_: found.append(os.environ.get('OMP_WAIT_POLICY')))
    monkeypatch.setattr(sys, 'argv', ['point-peft', 'list'])
    assert main() == 0 and found == [own or 'PASSIVE']
