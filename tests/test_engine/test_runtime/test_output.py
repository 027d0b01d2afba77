from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_engine import make_config
from toy_tools import run_python, write_config

from point_peft.engine.runtime.output import make_directories
from point_peft.io.errors import ConfigError


def link(path: Path, target: Path) -> Path:
    path.symlink_to(target)
    return path


def file(path: Path) -> Path:
    path.write_text('precious')
    return path


PLACES: dict[str, Callable[[Path], Path]] = {
    'cannot be a directory': lambda root: file(root / 'file'),
    'cannot be a directory, as': lambda root: file(root / 'file') / 'below',
    'cannot be a directory, as that is': lambda root: link(root / 'loop', root / 'loop'),
    'loop': lambda root: link(root / 'loop', root / 'loop') / 'below',
    'nowhere': lambda root: link(root / 'nowhere', root / 'none'),
    'File name too long': lambda root: root / ('x' * 300),
    'cannot be written to': lambda root: Path('/proc/1/work'),
}


@pytest.mark.parametrize('sentence', PLACES)
def test_place_that_cannot_be_made(tmp_path: Path, sentence: str) -> None:
    place = PLACES[sentence](tmp_path)
    with pytest.raises(ConfigError) as caught:
        make_directories(make_config(place))
    assert str(caught.value).startswith(f"--work-dir '{place}' cannot be ")
    assert sentence in str(caught.value)


def test_place_of_the_checkpoints(tmp_path: Path) -> None:
    cfg = make_config(tmp_path / 'work', **{'default_hooks.checkpoint.out_dir': str(file(tmp_path / 'file'))})
    with pytest.raises(ConfigError, match=r'default_hooks.checkpoint.out_dir .*file/work. cannot be a'):
        make_directories(cfg)


def test_place_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, 'access', lambda path, mode: False)  # who is root may write anywhere
    with pytest.raises(ConfigError, match='cannot be written to'):
        make_directories(make_config(tmp_path / 'work'))


def test_new_places_are_made(tmp_path: Path) -> None:
    cfg = make_config(tmp_path / 'a' / 'b', **{'default_hooks.checkpoint.out_dir': str(tmp_path / 'disk')})
    make_directories(cfg)
    make_directories(cfg)
    assert (tmp_path / 'a' / 'b').is_dir()
    assert (tmp_path / 'disk' / 'b').is_dir()


@pytest.mark.parametrize('tool', ['tools/train.py', 'tools/test.py'])
def test_tools_say_so_in_one_sentence(tmp_path: Path, tool: str) -> None:
    config, work = write_config(tmp_path / 'c.py'), file(tmp_path / 'precious')
    checkpoint = [] if 'train' in tool else ['https://example.org/x.pth']
    code, output = run_python(tool, config, *checkpoint, '--work-dir', work)
    assert code == 1
    assert output.strip().splitlines()[-1].startswith(f"error: --work-dir '{work}' cannot be a directory")
    assert 'Traceback' not in output
    assert work.read_text() == 'precious'
