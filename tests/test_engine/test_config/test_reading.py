from __future__ import annotations

import errno
from pathlib import Path

import pytest
from mmengine.config import Config

from point_peft.engine.config import load_config
from point_peft.io.errors import ConfigError, MissingFileError


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'a = (', r'SyntaxError: .*line 1\)\); correct the file'),
        (b'a = 1\nb = 2 2\n', r'SyntaxError: .*line 2\)'),
        (b'  a = 1', r'IndentationError: .*line 1\)'),
        (b'a = 1\nb = 1 / 0', r'c\.py cannot be read \(ZeroDivisionError in line 2: division by zero'),
        (b'import sys\nsys.exit(0)', r'c\.py cannot be read \(SystemExit in line 2'),
        (b"raise RuntimeError('two\\nlines')", r'RuntimeError in .*: two lines'),
        (b'def f(): return f()\na = f()', 'RecursionError'),
        (b'import no_such_module', 'ModuleNotFoundError.*no_such_module'),
        (b"custom_imports = dict(imports=['no_such_module'])", 'no_such_module'),
        (b"a = 'st\xfchle'", "'utf-8' codec can't decode byte 0xfc in position 7"),
        (b'\xff\xfea\x00', "'utf-8' codec can't decode byte 0xff in position 0"),
        (b'a = 1\x00', 'cannot be read'),
        (b"_base_ = 'none.py'", "its base 'none.py' does not exist"),
        (b"_base_ = 'c.py'", r'c\.py cannot be read: it inherits itself'),
        (b'_base_ = 5', 'cannot be read'),
        (b'model = 3\nmodel.x = 2', 'AttributeError'),
    ],
)
def test_broken_config_is_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / 'c.py').write_bytes(content)
    with pytest.raises((ConfigError, MissingFileError), match=message) as caught:
        load_config(tmp_path / 'c.py')
    assert '\n' not in str(caught.value)
    assert str(tmp_path / 'c.py') in str(caught.value)


def test_circle_of_bases_names_a_link(tmp_path: Path) -> None:
    (tmp_path / 'a.py').write_text("_base_ = ['b.py']")
    (tmp_path / 'b.py').write_text("_base_ = './a.py'")
    with pytest.raises(ConfigError, match=r'a\.py cannot be read: it inherits itself; take'):
        load_config(tmp_path / 'a.py')


def test_error_in_a_base_names_the_base(tmp_path: Path) -> None:
    (tmp_path / 'a.py').write_text("_base_ = 'b.py'")
    (tmp_path / 'b.py').write_text('x = 1\ny = z')
    with pytest.raises(
        ConfigError, match=r"b\.py cannot be read \(NameError in line 2: name 'z' is not defined"
    ):
        load_config(tmp_path / 'a.py')


def test_directory_and_other_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='is a directory; give one of the files in it'):
        load_config(tmp_path)
    (tmp_path / 'weights.pth').touch()
    with pytest.raises(
        ConfigError, match='weights.pth cannot be read .*Only py/yml/yaml/json type are supported'
    ):
        load_config(tmp_path / 'weights.pth')
    with pytest.raises(MissingFileError, match=r'none\\x1b does not exist'):
        load_config(tmp_path / 'none\x1b')


def test_diamond_is_no_circle_and_other_formats_are_read(tmp_path: Path) -> None:
    (tmp_path / 'root.py').write_text('x = dict(a=1)')
    (tmp_path / 'left.py').write_text("_base_ = 'root.py'\ny = 1")
    (tmp_path / 'leaf.py').write_text(
        "_base_ = ['left.py']\nx = dict(b={{_base_.y}})\nname = '{{fileBasename}}'"
    )
    cfg = load_config(tmp_path / 'leaf.py')
    assert (cfg.x, cfg.name) == (dict(a=1, b=1), 'leaf.py')
    (tmp_path / 'c.json').write_text('{"model": {"a": 1}}')
    assert load_config(tmp_path / 'c.json').model.a == 1


def test_configs_in_pure_python_are_left_to_mmengine(tmp_path: Path) -> None:
    (tmp_path / 'base.py').write_text(
        'from torch.optim import SGD\noptim_wrapper = dict(optimizer=dict(type=SGD, lr=1))\n'
    )
    (tmp_path / 'leaf.py').write_text(
        'from mmengine.config import read_base\nwith read_base():\n    from .base import *\n'
        'optim_wrapper.optimizer.update(lr=2)\n'
    )
    for name, rate in (('base', 1), ('leaf', 2)):
        cfg = load_config(tmp_path / f'{name}.py')
        optimizer = cfg.optim_wrapper.optimizer
        assert optimizer.lr == rate and optimizer.type.endswith('SGD') and 'SGD' in cfg.pretty_text


@pytest.mark.parametrize(
    ('name', 'text'), [('c.json', '{'), ('c.json', '[1]'), ('c.yaml', 'a: [1'), ('c.yaml', '- 1')]
)
def test_broken_files_of_other_formats(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=r'cannot be read \(.*correct the file') as caught:
        load_config(tmp_path / name)
    assert '\n' not in str(caught.value)


def test_full_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MMEngine copies configs there, which those in Python do not need."""

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    (tmp_path / 'c.py').write_text('a = 1')
    monkeypatch.setattr(Config, 'fromfile', fail)
    assert load_config(tmp_path / 'c.py').a == 1
    (tmp_path / 'c.json').write_text('{"a": 1}')
    with pytest.raises(
        ConfigError, match=r'c\.json cannot be read \(OSError: .*No space left on device\)\.$'
    ):
        load_config(tmp_path / 'c.json')
