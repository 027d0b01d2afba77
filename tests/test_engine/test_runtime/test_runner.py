"""A run loses the files that it cannot write, and nothing else."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.config import Config
from small_models import METHODS, build_classifier, expected_of, fitted_of, unfitted_prompt
from toy_engine import make_config

from point_peft.engine.fitting import load_fitted
from point_peft.engine.hooks import FitHook
from point_peft.engine.runtime.runner import SparedRunner
from point_peft.models import PointDataPreprocessor
from point_peft.procedural import ProceduralShapes


def named_config(tmp_path: Path) -> Config:
    """Config of the toy that has a file name, which the run copies."""
    path = tmp_path / 'toy.py'
    make_config(tmp_path / 'work', epochs=2).dump(path)
    return Config.fromfile(path)


@pytest.mark.parametrize('name', ['scalars.json', '.json', 'config.py', 'toy.py', '.log'])
def test_file_that_cannot_be_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], full_disk: list[str], name: str
) -> None:
    cfg = named_config(tmp_path)
    full_disk.append(name)
    SparedRunner.from_cfg(cfg).train()
    work = tmp_path / 'work'
    assert (work / 'epoch_2.pth').exists()
    assert (work / 'last_checkpoint').exists()
    assert not [path for path in work.rglob('*') if path.name.endswith(name) and path.name != 'protocol.json']
    output = ''.join(capfd.readouterr())
    assert 'No space left on device' in output
    assert 'Traceback' not in output


def test_log_that_is_full_later(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One line on the error output, where python's logging prints a traceback for each."""
    runner = SparedRunner.from_cfg(named_config(tmp_path))
    (handler,) = [handler for handler in runner.logger.handlers if hasattr(handler, 'baseFilename')]
    with open('/dev/full', 'w') as full:
        os.dup2(full.fileno(), handler.stream.fileno())
    runner.train()
    errors = capfd.readouterr().err
    assert errors.count('.log cannot be written') == 1
    assert 'Traceback' not in errors
    assert (tmp_path / 'work' / 'epoch_2.pth').exists()


def test_bank_that_cannot_be_written(tmp_path: Path, full_disk: list[str], log: Any) -> None:
    """Training goes on with the bank that it built, and its file is written when there is room."""
    model = build_classifier(METHODS['point_peft'])
    model.data_preprocessor = PointDataPreprocessor(num_points=48)
    run: Any = SimpleNamespace(
        model=model, work_dir=str(tmp_path), _load_from=None, _resume=False, logger=logging.getLogger('test')
    )
    run.train_dataloader = SimpleNamespace(dataset=ProceduralShapes(num_samples=16, num_points=64))
    hook, file = FitHook(), tmp_path / 'memory_bank.safetensors'
    full_disk.append(file.name)
    hook.before_train(run)
    hook.after_train_epoch(run)
    assert not list(tmp_path.iterdir())
    assert len(log.at('WARNING')) == 2 and all(
        f'the memory bank {file} could not be written' in line and 'No space left on device' in line
        for line in log.at('WARNING')
    )
    rows, other = fitted_of(model).bank.keys.clone(), unfitted_prompt()
    assert len(rows) == 16
    full_disk.clear()
    hook.after_train_epoch(run)
    load_fitted(file, other, expected_of(model, run.train_dataloader.dataset))
    assert torch.equal(other.bank.keys, rows)
