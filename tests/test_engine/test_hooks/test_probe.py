"""Probing while a backbone is pre-trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner import Runner
from small_models import BACKBONE

from point_peft.engine.hooks.probe import ProbeHook, find_encoder
from point_peft.io.errors import ConfigError
from point_peft.models import JointPretrain

DATA = dict(type='ProceduralShapes', num_samples=32, num_points=128)
PROBE = dict(train=DATA, test=DATA | dict(split='val'), shots=1, draws=1)


def run(work_dir: Path, *, epochs: int, hooks: list[dict[str, Any]]) -> Runner:
    """Pre-train a small model on a few objects."""
    runner = Runner(
        model=dict(
            type='JointPretrain',
            encoder=BACKBONE | dict(class_token=False, drop_path_rate=0.0),
            objectives=dict(labels=dict(type='LabelObjective', num_classes=67)),
        ),
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=8,
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='pseudo_collate'),
            dataset=dict(type='ProceduralVariety', num_samples=16, num_points=128),
        ),
        data_preprocessor=dict(type='PointDataPreprocessor'),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        custom_hooks=[dict(type='EpochSeedHook'), *hooks],
        default_scope='point_peft',
        randomness=dict(seed=0),
        experiment_name=f'{work_dir.name}-{torch.randint(2**30, ()).item()}',
    )
    runner.train()
    return runner


def test_probes_are_logged_and_change_nothing(tmp_path: Path, log: Any) -> None:
    """Before the first epoch, every second epoch and after the last; the weights are those of a run without it."""
    probed = run(tmp_path / 'a', epochs=3, hooks=[dict(type='ProbeHook', interval=2, **PROBE)])
    lines = [message for message in log.at('INFO') if message.startswith('probe after')]
    assert [line.split()[2] for line in lines] == ['0', '2', '3']
    assert all('probe/linear:' in line and 'probe/effective_rank:' in line for line in lines)
    plain = run(tmp_path / 'b', epochs=3, hooks=[])
    for name, value in probed.model.state_dict().items():
        assert torch.equal(value, plain.model.state_dict()[name]), name
    assert probed.model.MAE_encoder.training


def test_find_encoder() -> None:
    """The encoder of pre-training, the backbone of a task, or a clear refusal."""
    model = JointPretrain(
        BACKBONE | dict(class_token=False), dict(labels=dict(type='LabelObjective', num_classes=2))
    )
    assert find_encoder(model) is model.MAE_encoder
    with pytest.raises(ConfigError, match='no encoder in Linear'):
        find_encoder(torch.nn.Linear(1, 1))


def test_interval() -> None:
    """An interval below 1 never probes."""
    with pytest.raises(ConfigError, match='interval=0'):
        ProbeHook(**PROBE, interval=0)
