"""Backends for curves beside the local one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import warm_python
from mmengine.config import Config
from toy_tools import environment, run_python, write_config

from point_peft.engine.runtime import visualizer
from point_peft.engine.runtime.visualizer import add_backend, check_backends
from point_peft.io.errors import ConfigError

WANDB = """
import json, os
class UsageError(Exception):
    __module__ = 'wandb.errors'
calls = []
def init(**kwargs):
    if 'WANDB_API_KEY' not in os.environ:
        raise UsageError('No API key configured')
    calls.append(['init', sorted(kwargs), kwargs['project'], kwargs['name']])
def log(values, commit):
    calls.append(['log', sorted(values)])
def join():
    with open(os.environ['WANDB_API_KEY'], 'w') as file:
        json.dump(calls, file)
class config:
    update = staticmethod(lambda values, allow_val_change: calls.append(['config', sorted(values)]))
class run:
    log_code = staticmethod(lambda name: None)
"""
"""What MMEngine's backend uses of the package, which notes it in the file that is named as key."""

LOCAL = dict(type='LocalVisBackend')


def test_backends_are_added_once() -> None:
    """Beside those of the config, whose options they change; also where the config has none."""
    cfg = Config(dict(visualizer=dict(type='SparedVisualizer', vis_backends=[LOCAL])))
    for project in 'ab':
        add_backend(cfg, 'WandbVisBackend', init_kwargs=dict(project=project))
    wandb = dict(type='WandbVisBackend', init_kwargs=dict(project='b'))
    assert cfg.visualizer.to_dict() == dict(type='SparedVisualizer', vis_backends=[LOCAL, wandb])
    for bare in (Config(), Config(dict(visualizer=None))):
        add_backend(bare, 'TensorboardVisBackend')
        assert bare.visualizer.vis_backends == [dict(type='TensorboardVisBackend')]


@pytest.mark.parametrize(
    ('backend', 'package'), [('TensorboardVisBackend', 'tensorboard'), ('WandbVisBackend', 'wandb')]
)
def test_missing_package(monkeypatch: pytest.MonkeyPatch, backend: str, package: str) -> None:
    monkeypatch.setattr(visualizer, 'find_spec', lambda name: None)
    check_backends(Config(dict(visualizer=dict(vis_backends=[LOCAL]))))
    check_backends(Config())
    message = f'{backend} needs the package {package}, .* "pip install {package}", or leave out --{package}'
    with pytest.raises(ConfigError, match=message):
        check_backends(Config(dict(visualizer=dict(vis_backends=[LOCAL, dict(type=backend)]))))


def test_weights_and_biases(tmp_path: Path) -> None:
    """Project, run, config and curves arrive; without an account it is refused in a sentence."""
    (tmp_path / 'packages').mkdir()
    (tmp_path / 'packages/wandb.py').write_text(WANDB)
    config = write_config(tmp_path / 'c.py', epochs=1)
    variables = environment()
    variables['PYTHONPATH'] += os.pathsep + str(tmp_path / 'packages')
    command = [sys.executable, 'tools/train.py', config, '--wandb', 'chairs']
    done = warm_python.run(command, env=variables)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert 'error: Weights & Biases does not start (No API key configured); run "wandb login"' in done.stderr

    noted = tmp_path / 'noted.json'
    done = warm_python.run(command, env={**variables, 'WANDB_API_KEY': str(noted)})
    assert done.returncode == 0, done.stderr
    first, *others = json.loads(noted.read_text())
    assert first == ['init', ['dir', 'name', 'project'], 'chairs', 'work']
    logged = [names for kind, names in others if kind == 'log']
    assert any('loss' in names for names in logged) and any('overall_accuracy' in names for names in logged)
    assert any(kind == 'config' and 'model' in names for kind, names in others)


def test_tensorboard(tmp_path: Path) -> None:
    """Curves are in its file."""
    pytest.importorskip('tensorboard')
    code, output = run_python('tools/train.py', write_config(tmp_path / 'c.py', epochs=1), '--tensorboard')
    assert code == 0, output
    assert list((tmp_path / 'work').glob('*/vis_data/events.out.tfevents.*'))
