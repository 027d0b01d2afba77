"""Ending a training early."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mmengine.runner import Runner
from toy_engine import make_config

from point_peft.engine.hooks import PatienceHook
from point_peft.io.errors import ConfigError


def train(work_dir: Path, *, resume: Path | None = None, **changes: Any) -> dict:
    """Train at a learning rate of zero, so that nothing improves after the first epoch; give the protocol."""
    cfg = make_config(work_dir, epochs=9, **{'optim_wrapper.optimizer.lr': 0.0}, **changes)
    cfg.param_scheduler = None
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), dict(type='PatienceHook', patience=2)]
    if resume is not None:
        cfg.load_from, cfg.resume = str(resume), True
    Runner.from_cfg(cfg).train()
    return json.loads((work_dir / 'protocol.json').read_text())


def test_ends(tmp_path: Path) -> None:
    """So many epochs after the best one, also when it is resumed; the last epoch is tested."""
    found = train(tmp_path / 'whole', **{'default_hooks.protocol.test_interval': 100})
    assert [result['epoch'] for result in found['history']] == [1, 2, 3] and found['stopped_early']
    assert found['rows'][0]['epoch'] == 3 and found['rows'][0]['test']
    resumed = train(tmp_path / 'resumed', resume=tmp_path / 'whole' / 'epoch_2.pth')
    assert [result['epoch'] for result in resumed['history']] == [1, 2, 3]
    over = train(tmp_path / 'over', resume=tmp_path / 'whole' / 'epoch_3.pth')
    assert [result['epoch'] for result in over['history']] == [1, 2, 3]


def test_refused(tmp_path: Path) -> None:
    """Without validation, and without patience."""
    with pytest.raises(ConfigError, match='needs validation'):
        train(tmp_path, val_cfg=None, val_dataloader=None, val_evaluator=None)
    with pytest.raises(ConfigError, match='patience=0 stops at once'):
        PatienceHook(0)
