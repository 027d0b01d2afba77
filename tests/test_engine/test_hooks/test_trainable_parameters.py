from __future__ import annotations

from pathlib import Path

from mmengine.runner import Runner
from torch import nn
from toy_engine import make_config

from point_peft.engine.hooks import count_parameters, format_trainable


def test_line_is_that_of_hugging_face_peft() -> None:
    assert (
        format_trainable(1234, 5678) == 'trainable params: 1,234 || all params: 5,678 || trainable%: 21.7330'
    )


def test_shared_and_frozen_parameters() -> None:
    shared = nn.Linear(2, 3)
    model = nn.Sequential(shared, shared, nn.Linear(3, 1).requires_grad_(False))
    assert count_parameters(model) == (9, 13)


def test_line_is_logged_before_training(tmp_path: Path) -> None:
    runner = Runner.from_cfg(make_config(tmp_path, epochs=1))
    runner.train()
    trainable, total = count_parameters(runner.model)
    log = next(tmp_path.rglob('*.log')).read_text()
    line = (
        f'trainable params: {trainable} || all params: {total} || trainable%: {100 * trainable / total:.4f}'
    )
    assert log.index(line) < log.index('Epoch(train)')
    assert runner.message_hub.get_info('trainable_parameters') == trainable
