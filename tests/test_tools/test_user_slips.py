"""Slips on the command line and in configs: one sentence each, before anything heavy."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from toy_tools import run_python, write_config

from point_peft.cli.tool import run_tool
from point_peft.engine.runtime.work_dir import locked_work_dir


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path / 'c.py', epochs=1)


def arguments(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: object) -> argparse.Namespace:
    monkeypatch.setattr(sys, 'argv', ['tool', *map(str, words)])
    return tool.parse_args()


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        (
            'train_dataloader.batch_size=0',
            'train_dataloader.batch_size is 0; give a whole number of at least 1',
        ),
        ('test_dataloader.batch_size=-4', 'test_dataloader.batch_size is -4'),
        ('train_dataloader.batch_size=2.5', 'train_dataloader.batch_size is 2.5'),
        (
            'val_dataloader.num_workers=-1',
            'val_dataloader.num_workers is -1; give a whole number of at least 0',
        ),
        ('train_dataloader.persistent_workers=True', 'needs train_dataloader.num_workers of at least 1'),
        ('train_cfg.max_epochs=0', 'train_cfg.max_epochs is 0'),
        ("train_cfg.max_epochs='3'", "train_cfg.max_epochs is '3'; give a whole number of at least 1"),
        ('train_cfg.max_epochs=three', "a number stands there, which 'three' is not"),
        ('train_cfg.val_interval=0', 'train_cfg.val_interval is 0'),
        ('optim_wrapper.optimizer.lr=-1', 'optim_wrapper.optimizer.lr is -1.0; give a number of at least 0'),
        ('optim_wrapper.optimizer.lr=nan', 'optim_wrapper.optimizer.lr is nan'),
        ('randomness.seed=-1', 'randomness.seed is -1; give a whole number from 0 to 4294967295'),
        ('default_hooks.protocol.test_interval=0', 'default_hooks.protocol.test_interval is 0'),
        (
            'default_hooks.loger.interval=5',
            "there is no such hook; did you mean 'logger'?",
        ),
        ('train_dataloader.dataset=None', 'train_dataloader.dataset is None; give a dict.'),
        ('custom_hooks=[bogus]', "custom_hooks[0] is 'bogus'; give a dict with a type."),
        ('optim_wrapper.optimizer=None', 'optim_wrapper.optimizer is None; give a dict.'),
        ('default_scope=bogus', "default_scope is 'bogus'; leave it at 'point_peft'"),
        ('default_scope=None', "default_scope is None; leave it at 'point_peft'"),
        ('env_cfg.mp_cfg.mp_start_method=bogus', "mp_start_method is 'bogus'; give one of fork, spawn"),
        ('env_cfg.mp_cfg=None', 'env_cfg.mp_cfg is None; give a dict.'),
        ('env_cfg.mp_cfg.opencv_num_threads=many', "a number stands there, which 'many' is not"),
        ('env_cfg.dist_cfg.backend=bogus', "env_cfg.dist_cfg.backend is 'bogus'; give one of nccl, gloo"),
        ('randomness.deterministic=maybe', "randomness.deterministic is 'maybe'; give True or False."),
        ('log_level=None', 'log_level is None; give one of DEBUG, INFO'),
        ('log_processor.window_size=0', 'log_processor.window_size is 0; give a whole number of at least 1.'),
        ('activation_checkpointing=5', 'activation_checkpointing is 5; give the names of blocks, or None.'),
        ('model.num_classes=many', "model.num_classes is 'many'; give a number."),
        ('max_epochs=2', 'did you mean train_cfg.max_epochs?'),
        ('train_dataloader.dataset.data_root=/no\x1b[2J', r'/no\x1b[2J'),
    ],
)
def test_values(
    config: Path,
    option: str,
    message: str,
    load_tool: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    tool = load_tool('train.py')
    args = arguments(tool, monkeypatch, config, '--cfg-options', option)
    assert run_tool(tool.main, args) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith('error: ') and error.count('\n') == 1
    assert not (config.parent / 'work').exists()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            {'optim_wrapper.optimizer.betas': (2, 2)},
            'optim_wrapper cannot .*ValueError: Invalid beta parameter at',
        ),
        ({'optim_wrapper.constructor': 'bogus'}, 'optim_wrapper cannot be built .*KeyError: bogus is not in'),
        (
            {'train_dataloader.collate_fn': None},
            'train_dataloader or train_cfg cannot .*collate_fn should be a',
        ),
        (
            {'train_dataloader.timeout': -1},
            'train_dataloader or train_cfg cannot .*timeout option should be non-neg',
        ),
        ({'train_cfg.dynamic_intervals': 5}, 'train_dataloader or train_cfg cannot be built'),
        ({'param_scheduler': [{}]}, 'param_scheduler cannot be built .*should contain the key type'),
        ({'visualizer.vis_backends': 'bogus'}, 'visualizer cannot be built .*vis_backends must be a list'),
        ({'default_hooks.logger.priority': 'bogus'}, 'default_hooks or custom_hooks cannot be built .*BOGUS'),
        ({'compile': 'bogus'}, 'compile cannot be built .*should be a dict or bool'),
        (
            {'optim_wrapper.clip_grad': dict(max_norn=3)},
            "clip_grad has an unknown key 'max_norn'; by norm it takes",
        ),
    ],
)
def test_what_mmengine_refuses(
    tmp_path: Path, changes: dict, message: str, load_tool, monkeypatch, capsys
) -> None:
    """Its words become one sentence with the section, before the first step."""
    tool = load_tool('train.py')
    # MMEngine tells runs of one process apart by this name and the second of their start.
    config = tmp_path / f'{tmp_path.name}.py'
    args = arguments(tool, monkeypatch, write_config(config, epochs=1, **changes))
    assert run_tool(tool.main, args) == 1
    error = capsys.readouterr().err.strip().splitlines()
    assert re.match(f'error: {message}' if 'cannot' in message else 'error: .*' + message, error[-1]), error[
        -1
    ]
    assert not list(tmp_path.rglob('*.pth'))


def test_errors_of_a_model_keep_their_traceback(tmp_path: Path, load_tool, monkeypatch) -> None:
    """Only what the machinery says of a value is a sentence; a slip in somebody's class is to be found."""
    tool = load_tool('train.py')
    args = arguments(tool, monkeypatch, write_config(tmp_path / 'c.py', epochs=1, **{'model.hidden_dim': -4}))
    with pytest.raises(RuntimeError, match='negative dimension'):
        run_tool(tool.main, args)


@pytest.mark.parametrize(
    ('tool', 'words'),
    [
        ('train.py', ['--seed', '-1']),
        ('train.py', ['--seed', str(2**40)]),
        ('train.py', ['--device', 'gpu']),
        ('train.py', ['--cfg-options', 'max']),
        ('test.py', ['x.pth', '--show-num', '-1']),
        ('test.py', ['x.pth', '--votes', '0']),
        ('test.py', ['x.pth', '--show-score', 'nan']),
        ('infer.py', ['x.pth', 'f.ply', '--device', 'gpu']),
        ('few_shot.py', ['--ways', '0']),
        ('misc/browse_dataset.py', ['--seed', '-5']),
    ],
)
def test_flags(
    tool: str,
    words: list[str],
    load_tool: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    with pytest.raises(SystemExit) as stopped:
        arguments(load_tool(tool), monkeypatch, 'c.py', *words)
    assert stopped.value.code == 2
    assert 'error: argument' in capsys.readouterr().err


def test_places_to_write_to(
    config: Path,
    load_tool: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    (config.parent / 'file').touch()
    tool = load_tool('test.py')
    for words in (['--out', config.parent], ['--out', config.parent / 'file/x.json'], ['--show-dir', config]):
        args = arguments(tool, monkeypatch, config, 'x.pth', *words)
        assert run_tool(tool.main, args) == 1
        assert capsys.readouterr().err.startswith(f"error: {words[0]} '")


def test_second_run_in_a_work_dir(config: Path) -> None:
    """Refused while the first one goes on, and nothing of it is touched; testing there is allowed."""
    work = config.parent / 'work'
    with locked_work_dir(work):
        code, output = run_python('tools/train.py', config)
        assert code == 1
        assert f"error: '{work}' is in use by process {os.getpid()} on " in output
        assert 'Traceback' not in output
        assert [path.name for path in work.iterdir()] == ['.lock']


def test_a_run_whose_names_are_odd(tmp_path: Path) -> None:
    """Markup, escapes and bytes that are no UTF-8 in the names of config, work dir and data."""
    place = tmp_path / os.fsdecode(b'[red]st\xfchle $\\frac{$ a,b')
    (place / '2024').mkdir(parents=True)
    config = write_config(place / 'my config.py', epochs=1)
    options = [f'data_root={place / "2024"}', 'default_hooks.logger.interval=1']
    code, output = run_python(
        'tools/train.py', config, '--work-dir', place / '2024', '--cfg-options', *options
    )
    assert code == 0, output
    assert 'Traceback' not in output and 'Logging error' not in output
    checkpoint = place / '2024' / 'epoch_1.pth'
    assert checkpoint.is_file() and (place / '2024' / 'my config.py').is_file()
    out = place / 'new' / 'out.json'
    code, output = run_python('tools/test.py', config, checkpoint, '--work-dir', place / '2024', '--out', out)
    assert code == 0, output
    assert out.is_file() and 'Logging error' not in output
    # The complete config of the training is still there.
    assert 'max_epochs=1' in (place / '2024' / 'my config.py').read_text()
    code, output = run_python(
        'tools/train.py', config, '--resume', '--work-dir', place / '2024', '--cfg-options', *options
    )
    assert code == 0, output
    assert 'resuming after epoch 1 of 1: nothing is left to train' in output
