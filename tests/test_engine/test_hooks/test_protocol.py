from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
from mmengine.runner import Runner
from toy_engine import make_config

from point_peft.engine.hooks import protocol as protocol_module
from point_peft.io.weights import load_checkpoint_file


def train(work_dir: Path, *, epochs: int = 3, resume: Path | None = None, **changes: Any) -> Runner:
    cfg = make_config(work_dir, epochs=epochs, **changes)
    if resume is not None:
        cfg.load_from, cfg.resume = str(resume), True
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def summary(work_dir: Path) -> dict:
    return json.loads((work_dir / 'protocol.json').read_text())


def test_summary_and_table(tmp_path: Path) -> None:
    runner = train(tmp_path)
    found = summary(tmp_path)
    assert [row['label'].split(' (')[0] for row in found['rows']] == ['last', 'best on val', 'best on test']
    assert [result['epoch'] for result in found['history']] == [1, 2, 3]
    val = [result['val']['overall_accuracy'] for result in found['history']]
    assert found['rows'][1]['epoch'] == val.index(max(val)) + 1
    assert (
        found['rows'][0]['test']['overall_accuracy']
        == runner.message_hub.get_scalar('test/overall_accuracy').current()
    )
    assert found['trainable_parameters'] > 0
    assert found['adapter_mb'] > 0
    assert found['fitted_mb'] > 0
    log = next(tmp_path.rglob('*.log')).read_text()
    assert 'best on test (as papers report; never used for selection)' in log
    assert 'val/overall_accuracy' in log
    assert 'test/overall_accuracy' in next(tmp_path.rglob('scalars.json')).read_text()


def test_best_file_is_chosen_on_validation(tmp_path: Path) -> None:
    train(tmp_path, epochs=4)
    row = summary(tmp_path)['rows'][1]
    assert [path.name for path in tmp_path.glob('best*')] == [
        f'best_overall_accuracy_epoch_{row["epoch"]}.pth'
    ]


def test_interval_at_a_new_best_and_at_the_end(tmp_path: Path) -> None:
    train(tmp_path, epochs=5, **{'default_hooks.protocol.test_interval': 100})
    history = summary(tmp_path)['history']
    best = float('-inf')
    for result in history:
        score = result['val']['overall_accuracy']
        assert bool(result['test']) == (score > best or result['epoch'] == 5)
        best = max(best, score)


@pytest.mark.parametrize('stop', [1, 2])
def test_history_survives_resuming(tmp_path: Path, stop: int) -> None:
    train(tmp_path / 'whole', epochs=4, **{'default_hooks.checkpoint.max_keep_ckpts': -1})
    checkpoint = tmp_path / 'whole' / f'epoch_{stop}.pth'
    saved = load_checkpoint_file(checkpoint)['message_hub']['runtime_info'].get('protocol_history', [])
    train(tmp_path / 'second', epochs=4, resume=checkpoint)
    assert len(saved) in (stop - 1, stop)  # the epoch's own results only if it was the best
    assert summary(tmp_path / 'second')['history'] == summary(tmp_path / 'whole')['history']
    assert summary(tmp_path / 'second')['rows'] == summary(tmp_path / 'whole')['rows']


def test_resuming_a_finished_run_evaluates_its_last_epoch(tmp_path: Path) -> None:
    train(tmp_path / 'a', epochs=2)
    train(tmp_path / 'b', epochs=2, resume=tmp_path / 'a' / 'epoch_2.pth')
    assert summary(tmp_path / 'b')['history'] == summary(tmp_path / 'a')['history']


def test_without_validation_the_test_set_is_still_reported(tmp_path: Path) -> None:
    cfg = make_config(tmp_path, epochs=2)
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    Runner.from_cfg(cfg).train()
    found = summary(tmp_path)
    assert [row['label'].split(' (')[0] for row in found['rows']] == ['last', 'best on test']
    assert all(result['test'] and not result['val'] for result in found['history'])


def test_without_test_set(tmp_path: Path) -> None:
    cfg = make_config(tmp_path, epochs=2)
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    Runner.from_cfg(cfg).train()
    assert [row['label'] for row in summary(tmp_path)['rows']] == ['last', 'best on val']


def test_full_disk_costs_the_summary_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(protocol_module, 'write_atomically', fail)
    train(tmp_path, epochs=1)
    assert 'protocol.json could not be written' in next(tmp_path.rglob('*.log')).read_text()


def test_plain_validation_run_makes_no_table(tmp_path: Path) -> None:
    Runner.from_cfg(make_config(tmp_path)).val()
    assert not (tmp_path / 'protocol.json').exists()
