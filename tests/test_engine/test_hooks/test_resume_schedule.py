from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner import Runner
from toy_engine import make_config, write_pretrained

from point_peft.engine.runtime.runner import SparedRunner
from point_peft.io.errors import CheckpointError
from point_peft.io.weights import load_checkpoint_file

SCHEDULES = {
    'by step': [
        dict(type='LinearLR', start_factor=1e-3, begin=0, end=1, convert_to_iter_based=True),
        dict(type='CosineAnnealingLR', eta_min=1e-6, begin=1, convert_to_iter_based=True),
    ],
    'by epoch': [
        dict(type='LinearLR', start_factor=0.1, begin=0, end=2),
        dict(type='CosineAnnealingLR', eta_min=1e-6, begin=2),
    ],
    'mixed': [
        dict(type='LinearLR', start_factor=0.1, begin=0, end=1, convert_to_iter_based=True),
        dict(type='MultiStepLR', milestones=[2, 4], gamma=0.1),
    ],
}


def train(work_dir: Path, **changes: Any) -> Runner:
    cfg = make_config(work_dir, write_pretrained(work_dir.parent / 'p.pth'), **changes)
    cfg.default_hooks.protocol = cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    del cfg.default_hooks['protocol']
    cfg.default_hooks.checkpoint.save_best = None
    cfg.default_hooks.logger.interval = 1
    runner = SparedRunner.from_cfg(cfg)
    runner.train()
    return runner


def rates(runner: Runner) -> list[float]:
    return runner.message_hub.get_scalar('train/lr').data[0].tolist()


@pytest.mark.parametrize(
    ('name', 'change'),
    [
        ('by step', dict(epochs=5)),
        ('by step', dict(lr=3e-4)),
        ('by epoch', dict(epochs=4, lr=2e-3)),
        ('mixed', dict(epochs=5)),
    ],
)
def test_changed_settings_hold_from_the_resumed_epoch(
    tmp_path: Path, log: list, name: str, change: dict
) -> None:
    """The learning rate is that of a whole run with the new settings, in every step after the resumed epoch."""
    lr, epochs = change.get('lr', 1e-3), change.get('epochs', 3)
    new = {'epochs': epochs, 'optim_wrapper.optimizer.lr': lr, 'param_scheduler': SCHEDULES[name]}
    whole = rates(train(tmp_path / 'whole', **new))
    train(
        tmp_path / 'first',
        epochs=3,
        param_scheduler=SCHEDULES[name],
        **{'default_hooks.checkpoint.max_keep_ckpts': 5},
    )
    log.clear()
    resumed = train(tmp_path / 'again', load_from=str(tmp_path / 'first/epoch_2.pth'), resume=True, **new)
    assert rates(resumed)[8:] == pytest.approx(whole[8:], rel=1e-6)  # four steps an epoch
    (line,) = [message for level, message in log if message.startswith('resuming after')]
    assert line.startswith(
        f'resuming after epoch 2 of {epochs} with the settings of the config, which differ'
    )
    assert ('lr 0.0003 (was 0.001)' in line) == (lr == 3e-4)
    assert 'the moments of the optimizer are kept' in line


@pytest.mark.parametrize('name', SCHEDULES)
def test_unchanged_settings_repeat_the_run_bit_for_bit(tmp_path: Path, log: list, name: str) -> None:
    options = dict(
        epochs=3, param_scheduler=SCHEDULES[name], **{'default_hooks.checkpoint.max_keep_ckpts': 5}
    )
    train(tmp_path / 'whole', **options)
    train(tmp_path / 'again', load_from=str(tmp_path / 'whole/epoch_2.pth'), resume=True, **options)
    line = 'resuming after epoch 2 of 3 with the optimizer and the learning-rate schedule of the checkpoint'
    assert [message for _, message in log if message.startswith('resuming after')] == [line]
    first, second = (load_checkpoint_file(tmp_path / run / 'epoch_3.pth') for run in ('whole', 'again'))
    assert all(torch.equal(value, second['state_dict'][key]) for key, value in first['state_dict'].items())
    assert first['param_schedulers'] == second['param_schedulers']


def test_other_settings_of_the_optimizer(tmp_path: Path, log: list) -> None:
    train(tmp_path / 'a', epochs=2)
    again = dict(load_from=str(tmp_path / 'a/epoch_1.pth'), resume=True)
    runner = train(tmp_path / 'b', epochs=2, **again, **{'optim_wrapper.optimizer.weight_decay': 0.5})
    assert runner.optim_wrapper.param_groups[0]['weight_decay'] == 0.5
    assert any('weight_decay 0.5 (was 0.05)' in message for _, message in log)


def test_how_the_optimizer_computes_is_no_setting(tmp_path: Path, log: list) -> None:
    """A checkpoint of another machine is gone on from as this machine computes, with no word about it."""
    train(tmp_path / 'a', epochs=2, **{'optim_wrapper.optimizer.fused': False})
    file = tmp_path / 'a/epoch_1.pth'
    log.clear()
    resumed = train(tmp_path / 'b', epochs=2, load_from=str(file), resume=True)
    assert [group['fused'] for group in resumed.optim_wrapper.optimizer.param_groups] == [True, True]
    assert any('with the optimizer and the learning-rate schedule of the checkpoint' in m for _, m in log)


def test_another_optimizer_is_refused(tmp_path: Path) -> None:
    """Its groups and parameters are the same, but not what its moments and settings mean."""
    train(tmp_path / 'a', epochs=2)
    again = dict(load_from=str(tmp_path / 'a/epoch_1.pth'), resume=True)
    other = {'optim_wrapper.optimizer.type': 'SGD'}
    with pytest.raises(
        CheckpointError, match=r'epoch_1\.pth cannot be resumed .* another kind \(betas\) than SGD'
    ):
        train(tmp_path / 'b', epochs=2, **again, **other)


def test_nothing_is_left_to_train(tmp_path: Path, log: list) -> None:
    train(tmp_path / 'a', epochs=2)
    train(tmp_path / 'b', epochs=2, load_from=str(tmp_path / 'a/epoch_2.pth'), resume=True)
    assert any(
        re.match(r'resuming after epoch 2 of 2: nothing is left .* train_cfg\.max_epochs', m)
        for m in log.at('WARNING')
    )


def test_iterations(tmp_path: Path, log: list) -> None:
    schedule = [dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=False)]

    def run(name: str, iters: int, **changes: Any) -> list[float]:
        loop = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=iters)
        changes |= {'param_scheduler': schedule, 'default_hooks.checkpoint.by_epoch': False}
        changes |= {'default_hooks.checkpoint.interval': 3, 'log_processor.by_epoch': False}
        return rates(train(tmp_path / name, train_cfg=loop, **changes))

    whole = run('whole', 9)
    run('first', 6)
    resumed = run('again', 9, load_from=str(tmp_path / 'first/iter_3.pth'), resume=True)
    assert resumed[3:] == pytest.approx(whole[3:], rel=1e-6)
    assert any(
        m.startswith('resuming after iteration 3 of 9 with the settings of the config') for _, m in log
    )


@pytest.mark.parametrize('end', [1, 0.25])
def test_warmup_of_a_single_step_is_left_out(tmp_path: Path, log: list, end: float) -> None:
    """With one batch an epoch; the learning rate would stay at a thousandth of what is set."""
    schedule = deepcopy(SCHEDULES['by step'])
    schedule[0]['end'] = end
    runner = train(tmp_path / 'a', epochs=3, param_scheduler=schedule, **{'train_dataloader.dataset.size': 6})
    assert rates(runner) == pytest.approx([1e-3, 1e-3, 5e-4], rel=0.01)
    assert any(message.startswith('the warm-up is left out') for message in log.at('WARNING'))
