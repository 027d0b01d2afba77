from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from toy_engine import make_config
from toy_tools import run_python, write_config

from point_peft.engine.preflight import check_batches
from point_peft.io.errors import ConfigError


def make(tmp_path: Path, **changes: Any) -> Config:
    cfg = make_config(tmp_path)
    cfg.merge_from_dict(changes)
    return cfg


@pytest.mark.parametrize(
    ('size', 'changes', 'message'),
    [
        (
            5,
            {'drop_last': True},
            r'has 5 samples, which do not fill a batch of 6, .*batch_size to 5 or less',
        ),
        (0, {}, 'ToyClouds has nothing to train on'),
    ],
)
def test_no_batch(tmp_path: Path, size: int, changes: dict, message: str) -> None:
    """A training set from which not one batch comes is refused; one that fills a batch is not."""
    changes = {f'train_dataloader.{name}': value for name, value in changes.items()}
    cfg = make(tmp_path, **{'train_dataloader.dataset.size': size, **changes})
    runner = Runner.from_cfg(cfg)
    with pytest.raises(ConfigError, match=message):
        check_batches(runner)
    with pytest.raises(AssertionError):  # what the run would have ended in
        runner.train()


@pytest.mark.parametrize(
    ('size', 'changes'),
    [
        (6, {'drop_last': True}),
        (5, {'drop_last': False}),
        (5, {'drop_last': True, 'sampler': dict(type='InfiniteSampler', _delete_=True)}),
    ],
)
def test_batches(tmp_path: Path, size: int, changes: dict) -> None:
    """A batch that is full, one that need not be, and one that an endless sampler fills."""
    changes = {f'train_dataloader.{name}': value for name, value in changes.items()}
    cfg = make(tmp_path, **{'train_dataloader.dataset.size': size, **changes})
    runner = Runner.from_cfg(cfg)
    check_batches(runner)
    assert len(runner.train_dataloader.dataset) == size


@pytest.mark.parametrize(
    ('size', 'batch', 'drop_last', 'sentence'),
    [
        (
            6,
            1,
            False,
            r'train_dataloader\.batch_size is 1, and the batch norm head\.0 \(BatchNorm1d\) cannot',
        ),
        (6, 1, True, r'batch_size to 2 or more'),
        (1, 6, False, r'the training set has one sample, and .* set train_dataloader\.drop_last=True'),
        (13, 6, False, r'of 13 training samples in batches of 6 the last batch has one'),
    ],
)
def test_batch_of_one_object(tmp_path: Path, size: int, batch: int, drop_last: bool, sentence: str) -> None:
    """It would end the training in an error of torch, after an epoch if it is the last batch."""
    loader = dict(batch_size=batch, drop_last=drop_last, **{'dataset.size': size})
    changes = {f'train_dataloader.{name}': value for name, value in loader.items()}
    runner = Runner.from_cfg(make(tmp_path, **changes))
    with pytest.raises(ConfigError, match=sentence):
        check_batches(runner)
    with pytest.raises(ValueError, match='more than 1 value per channel'):
        runner.train()


class FrozenNorm(torch.nn.BatchNorm1d):
    """A batch norm that never learns."""

    def train(self, mode: bool = True) -> FrozenNorm:
        return super().train(False)


def test_trial_leaves_no_trace(tmp_path: Path) -> None:
    """A model without such a norm takes any batch, and trains as if nobody had looked."""
    changes = {'train_dataloader.batch_size': 1, 'train_dataloader.dataset.size': 6}
    states = []
    for name in ('looked', 'plain'):
        runner = Runner.from_cfg(make(tmp_path / name, **changes))
        runner.model.head[0] = FrozenNorm(16)
        before = {key: value.clone() for key, value in runner.model.state_dict().items()}
        if name == 'looked':
            check_batches(runner)
            assert all(torch.equal(value, before[key]) for key, value in runner.model.state_dict().items())
        runner.train()
        states.append(runner.model.state_dict())
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


class PointNorm(torch.nn.Module):
    """A batch norm of points, of which every object has many."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(3)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        return self.norm(points.transpose(1, 2)).transpose(1, 2)


def test_norm_of_points_takes_one_object(tmp_path: Path) -> None:
    changes = {'train_dataloader.batch_size': 1, 'train_dataloader.dataset.size': 6}
    runner = Runner.from_cfg(make(tmp_path, **changes))
    runner.model.head[0] = torch.nn.Identity()
    runner.model.backbone.linear = torch.nn.Sequential(PointNorm(), torch.nn.Linear(3, 16))
    check_batches(runner)


def test_tool_says_so_before_training(tmp_path: Path) -> None:
    config = write_config(tmp_path / 'c.py', **{'train_dataloader.dataset.size': 13})
    code, output = run_python('tools/train.py', config)
    assert code == 1
    assert (
        output.strip().splitlines()[-1].startswith('error: of 13 training samples in batches of 6 the last')
    )
    assert 'Epoch(train)' not in output
    assert 'Traceback' not in output
