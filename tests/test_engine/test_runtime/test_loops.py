"""The test loop with voting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from small_models import small_config

from point_peft.engine.config.check import check_config
from point_peft.io.errors import ConfigError
from point_peft.models import PointClassifier, VotingModel

TRAINING = (
    'train_dataloader',
    'train_cfg',
    'optim_wrapper',
    'param_scheduler',
    'val_dataloader',
    'val_cfg',
    'val_evaluator',
)


def config(folder: Path, **test_cfg: object) -> Config:
    """A test of a small classifier on the built-in shapes."""
    cfg = small_config(folder)
    for name in TRAINING:
        cfg[name] = None
    cfg.default_hooks.pop('protocol')
    cfg.test_cfg = dict(test_cfg)
    check_config(cfg)
    return cfg


class Recorder(Hook):
    """What hooks of a test get to see."""

    def __init__(self) -> None:
        self.models: list[object] = []
        self.metrics: dict[str, float] = {}

    def before_test(self, runner: Runner) -> None:
        """Before everything."""
        self.models.append(runner.model)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """After everything."""
        self.models.append(runner.model)
        self.metrics = dict(metrics or {})


def test_results_are_labelled(tmp_path: Path, log: Any) -> None:
    """Every name says how many votes there were, in what is returned, logged and given to hooks."""
    runner = Runner.from_cfg(config(tmp_path, type='VotingTestLoop', num_votes=3))
    recorder = Recorder()
    runner.register_hook(recorder)
    metrics = runner.test()
    assert set(metrics) == {'overall_accuracy (3 votes)', 'mean_class_accuracy (3 votes)'}
    assert recorder.metrics == metrics
    assert all(isinstance(model, PointClassifier) for model in recorder.models)
    assert isinstance(runner.model, PointClassifier)
    assert any('overall_accuracy (3 votes): ' in message for message in log.at('INFO'))


@pytest.mark.usefixtures('log')
def test_same_as_the_model(tmp_path: Path) -> None:
    """The accuracy is that of the voting model on the same clouds."""
    runner = Runner.from_cfg(
        config(
            tmp_path,
            type='VotingTestLoop',
            num_votes=2,
            scale=(0.5, 0.6),
            translate=0.2,
            isotropic=False,
            seed=3,
        )
    )
    found = runner.test()['overall_accuracy (2 votes)']
    voting = VotingModel(runner.model, 2, scale=(0.5, 0.6), translate=0.2, isotropic=False, seed=3)
    right = total = 0
    with torch.no_grad():
        for batch in runner.test_dataloader:
            for sample in voting.test_step(batch):
                right, total = right + int(sample.pred_label == sample.gt_label), total + 1
    assert found == pytest.approx(100 * right / total)


@pytest.mark.usefixtures('log')
def test_off_by_default(tmp_path: Path) -> None:
    """A plain test has plain names, and one vote without scaling gives the same numbers."""
    plain = Runner.from_cfg(config(tmp_path / 'a')).test()
    assert set(plain) == {'overall_accuracy', 'mean_class_accuracy'}
    one = Runner.from_cfg(config(tmp_path / 'b', type='VotingTestLoop', num_votes=1, scale=(1.0, 1.0))).test()
    assert {f'{name} (1 vote)': value for name, value in plain.items()} == one


@pytest.mark.usefixtures('log')
def test_an_error_leaves_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner has its own model back after a batch that fails."""

    def fail(self: VotingModel, data: object) -> None:
        raise RuntimeError('no')

    runner = Runner.from_cfg(config(tmp_path, type='VotingTestLoop'))
    monkeypatch.setattr(VotingModel, 'test_step', fail)
    with pytest.raises(RuntimeError, match='no'):
        runner.test()
    assert isinstance(runner.model, PointClassifier)


@pytest.mark.usefixtures('log')
def test_not_in_training(tmp_path: Path) -> None:
    """The table at the end of a training run is without voting: a config that would mix them is refused."""
    cfg = small_config(tmp_path)
    cfg.test_cfg = dict(type='VotingTestLoop')
    with pytest.raises(ConfigError, match=r'for tools/test\.py, not for training; use --votes there'):
        Runner.from_cfg(cfg).train()


def test_config_check() -> None:
    """A misspelt option is found before anything is built."""
    with pytest.raises(ConfigError, match="VotingTestLoop got an unknown argument 'votes'"):
        check_config(Config(dict(test_cfg=dict(type='VotingTestLoop', votes=3))))
