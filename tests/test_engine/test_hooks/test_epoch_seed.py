from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from toy_engine import make_config

from point_peft.io.weights import from_plain, load_checkpoint_file


def train(
    work_dir: Path, pretrained: Path, *, epochs: int, resume: Path | None = None, **changes: Any
) -> Runner:
    cfg = make_config(work_dir, pretrained, epochs=epochs, **changes)
    cfg.custom_hooks = [dict(type='LossRecorder', path=str(work_dir / 'losses.pt'))]
    work_dir.mkdir(exist_ok=True)
    if resume is not None:
        cfg.load_from, cfg.resume = str(resume), True
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def weights_and_history(path: Path) -> tuple[dict, dict]:
    checkpoint = from_plain(load_checkpoint_file(path))
    history = {
        name: buffer.data[0]
        for name, buffer in checkpoint['message_hub']['log_scalars'].items()
        if not name.endswith('time')
    }
    return {
        **checkpoint['state_dict'],
        **{
            f'{index}.{name}': value
            for index, state in checkpoint['optimizer']['state'].items()
            for name, value in state.items()
        },
    }, history


@pytest.mark.parametrize('stop', [1, 3])
def test_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    tmp_path: Path, pretrained: Path, stop: int
) -> None:
    train(tmp_path / 'whole', pretrained, epochs=5, **{'default_hooks.checkpoint.max_keep_ckpts': -1})
    train(tmp_path / 'second', pretrained, epochs=5, resume=tmp_path / 'whole' / f'epoch_{stop}.pth')
    whole_losses = torch.load(tmp_path / 'whole' / 'losses.pt')
    second_losses = torch.load(tmp_path / 'second' / 'losses.pt')
    assert torch.equal(second_losses, whole_losses[-len(second_losses) :])
    assert len(second_losses) == 4 * (5 - stop)
    whole, whole_history = weights_and_history(tmp_path / 'whole' / 'epoch_5.pth')
    second, second_history = weights_and_history(tmp_path / 'second' / 'epoch_5.pth')
    assert all(torch.equal(whole[name], second[name]) for name in whole)
    assert whole.keys() == second.keys()
    assert all(np.array_equal(whole_history[name], second_history[name]) for name in whole_history)


def test_same_seed_same_losses_other_seed_others(tmp_path: Path, pretrained: Path) -> None:
    for name, seed in (('a', 0), ('b', 0), ('c', 1)):
        train(tmp_path / name, pretrained, epochs=1, **{'randomness.seed': seed})
    a, b, c = (torch.load(tmp_path / name / 'losses.pt') for name in 'abc')
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_evaluation_does_not_change_training(tmp_path: Path, pretrained: Path) -> None:
    train(tmp_path / 'a', pretrained, epochs=3)
    train(
        tmp_path / 'b', pretrained, epochs=3, **{'default_hooks.protocol': None, 'train_cfg.val_interval': 3}
    )
    assert torch.equal(torch.load(tmp_path / 'a' / 'losses.pt'), torch.load(tmp_path / 'b' / 'losses.pt'))
