"""Every command of the documentation is run cut down, or as far as it goes here, or by another test that is named."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import desk
import pytest
from command_rules import RULES, TIER, Elsewhere, NotRun, Rule, Runs, Stops
from markdown_blocks import has_test
from shell_commands import ROOT, Command, all_commands, words_of

from point_peft.engine.config import load_config
from point_peft.io.errors import PointPEFTError

COMMANDS = all_commands()
HAS_TIER = importlib.util.find_spec('mmdet3d') is not None


def rule_for(command: Command) -> Rule:
    """The first that takes it."""
    rule = next((rule for rule in RULES if rule.takes(command.text)), None)
    assert rule, (
        f'{command.page} has a command that tests/test_docs/command_rules.py does not sort: {command.text}'
    )
    return rule


@pytest.fixture(scope='module')
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that has what the commands name."""
    return desk.make(tmp_path_factory.mktemp('desk'))


@pytest.mark.parametrize('page', COMMANDS)
def test_page(
    page: str, place: Path, load_tool: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands of a page, in their order."""
    monkeypatch.chdir(place)
    for command in COMMANDS[page]:
        rule = rule_for(command)
        if isinstance(rule, NotRun):
            named = re.findall(r'(?:tools|requirements)/[\w./-]+', command.text)
            assert not [name for name in named if not (ROOT / name).is_file()], command
            continue
        if isinstance(rule, Elsewhere):
            assert has_test(rule.test), f'{rule.test}, which is to run {command}, is gone'
        words = [desk.MEANT.get(word, word) for word in words_of(command.text, place)]
        if words[0] != 'python' or 'my_project' in command.text:
            continue
        if isinstance(rule, Runs):
            desk.run([*words[1:], *(['--cfg-options', *rule.options] if rule.options else [])], place)
            continue
        tool = load_tool(words[1].removeprefix('tools/'))
        monkeypatch.setattr(sys, 'argv', words[1:])
        args = tool.parse_args()
        if isinstance(rule, Elsewhere) and getattr(args, 'config', None):
            load_config(args.config, getattr(args, 'cfg_options', None))
        elif isinstance(rule, Stops) and not (rule.says == TIER and HAS_TIER):
            with pytest.raises(PointPEFTError, match=rule.says):
                tool.main(args)
                pytest.fail(f'it went through, so it is to be sorted anew: {command}')


def test_every_rule_is_needed() -> None:
    """A rule whose commands have gone goes too."""
    used = {rule_for(command) for commands in COMMANDS.values() for command in commands}
    assert not [rule for rule in RULES if rule not in used]


@pytest.mark.parametrize('name', ['mine', 'parts'])
def test_little_is_said_before_the_first_loss(name: str, place: Path) -> None:
    """No lists of the environment and hooks, no list of the config."""
    lines = (place / f'work_dirs/{name}/screen.txt').read_text().splitlines()
    assert next(number for number, line in enumerate(lines) if ' loss: ' in line) <= 15
