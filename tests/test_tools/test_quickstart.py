"""The quickstart, on a backbone and data small enough for seconds, and the script that sets it up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest
import torch
import warm_python
from matplotlib.image import imread

from point_peft.backbones import PointMAE
from point_peft.experiments import MethodRow, load_matrix, prepare_cell
from point_peft.io.weights import save_checkpoint

ROOT = Path(__file__).resolve().parents[2]
SIZES = dict(embed_dim=16, depth=2, num_heads=2, num_groups=16, group_size=8, patch_dims=(8, 8, 16))
METHODS = ['linear probing', 'Point-PEFT', 'full fine-tuning']


@pytest.fixture
def quickstart(load_tool: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool as a module."""
    monkeypatch.chdir(ROOT)
    return load_tool('quickstart.py')


@pytest.fixture
def tiny(tmp_path: Path) -> list[str]:
    """Options for a tiny backbone with weights of its own, and two objects per class."""
    torch.manual_seed(0)
    path = tmp_path / 'tiny.safetensors'
    state = PointMAE(class_token=False, drop_path_rate=0.0, **SIZES).state_dict()
    save_checkpoint(path, state, {})
    sizes = [f'model.backbone.{name}={value}'.replace(' ', '') for name, value in SIZES.items()]
    sizes += [f'model.backbone.init_cfg.checkpoint={path}', 'data_preprocessor.num_points=64']
    data = ['train_dataloader.dataset.per_class=2', 'train_dataloader.dataset.dataset.num_samples=64']
    return [*sizes, *data, 'test_dataloader.dataset.num_samples=32', 'train_cfg.max_epochs=1']


def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess:
    """Run a command in the repository with one thread and no display."""
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'DISPLAY': '', 'COLUMNS': '80', **variables}
    environment['PYTHONPATH'] = str(ROOT / 'projects')
    return warm_python.run(arguments, env=environment)


def quickstart_command(work_dir: Path, options: Sequence[str]) -> list[str]:
    """The shortest quickstart."""
    return [sys.executable, 'tools/quickstart.py', '--work-dir', str(work_dir), '--cfg-options', *options]


def test_end_to_end(
    quickstart: ModuleType,
    tmp_path: Path,
    tiny: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    """Each method is trained; then table and pictures. The same command again trains nothing."""
    matrix, work_dir = tmp_path / 'matrix.py', tmp_path / 'quick'
    draws = {'_delete_': True, 'draw 0': {'randomness.seed': 0, 'train_dataloader.dataset.seed': 0}}
    matrix.write_text(f'_base_ = {str(quickstart.MATRIX)!r}\ndraws = {draws!r}\n')  # one of the three
    quickstart.MATRIX = matrix
    command = ['quickstart.py', '--work-dir', str(work_dir), '--jobs', '1', '--cfg-options', *tiny]
    monkeypatch.setattr(sys, 'argv', command)
    arguments = quickstart.parse_args()
    quickstart.main(arguments)
    printed = capsys.readouterr().out
    assert printed.count('after 1 epochs') == 3 and 'Scans with 10 labels' in printed
    lines = {entry['method']: entry for entry in map(json.loads, (work_dir / 'results.jsonl').open())}
    assert list(lines) == METHODS
    assert lines['linear probing']['trainable_parameters'] == (2 * 16 + 1) * 16  # max and mean of 16 features
    full = lines['full fine-tuning']
    assert full['trainable_parameters'] == full['all_parameters']
    assert lines['Point-PEFT']['fitted_mb'] == pytest.approx(32 * 16 * 4 / 2**20)
    table = (work_dir / 'table.md').read_text()
    assert all(f'| {method} | ' in table and method in printed for method in METHODS)
    assert all(imread(work_dir / name).shape[1] > 1000 for name in ('picture.png', 'predictions.png'))

    written = (work_dir / 'results.jsonl').stat().st_mtime_ns
    quickstart.main(arguments)
    assert 'after 1 epochs' not in capsys.readouterr().out
    assert (work_dir / 'results.jsonl').stat().st_mtime_ns == written


def test_mistake_is_reported(tmp_path: Path) -> None:
    """The reason is shown before anything is trained, and the exit code is not zero."""
    done = run(*quickstart_command(tmp_path / 'quick', ['model.backbone.embed_dimm=16']))
    assert done.returncode == 1
    assert "did you mean 'embed_dim'?" in done.stderr and done.stderr.count('\n') == 1
    assert not (tmp_path / 'quick').exists()


def test_stopped_quickstart_leaves_no_training(tmp_path: Path, tiny: list[str]) -> None:
    """The signal reaches the training, which ends; the exit code is that of the signal."""
    command = [*quickstart_command(tmp_path / 'quick', [*tiny, 'train_cfg.max_epochs=1000'])]
    log = tmp_path / 'quick/cells/linear_probing/draw_0/log.txt'
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT / 'projects')}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        while not log.is_file() or 'Epoch(train)' not in log.read_text():
            assert process.poll() is None
            time.sleep(0.1)
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    size = log.stat().st_size
    time.sleep(1)
    assert log.stat().st_size == size


def test_other_options_need_another_directory(tmp_path: Path, quickstart: ModuleType) -> None:
    """What was trained with other options is not mixed in; the shipped comparison itself has no mistake."""
    matrix = load_matrix(quickstart.MATRIX)
    for method in METHODS:
        cell = prepare_cell(matrix.cells('', method, {})[0], tmp_path)
        assert cell.max_epochs == 8 and 'scan=True' in cell.config_text.replace(' ', '')


def test_table_by_hand(quickstart: ModuleType, capsys: pytest.CaptureFixture) -> None:
    """Thousands are separated, spreads stand beside means; a slower method is explained, a faster one is not."""
    accuracy = dict(last=(91.256, 1.04), best_on_val=None, best_on_test=None)
    rows = [
        MethodRow(method, trained, accuracy, None, seconds, 0.125)
        for method, trained, seconds in (
            ('linear probing', 528, 1.0),
            ('Point-PEFT', 1250, 61.4),
            ('full fine-tuning', 10000, 30.7),
        )
    ]
    matrix = load_matrix(quickstart.MATRIX)
    quickstart.show(matrix, rows)
    printed = capsys.readouterr().out
    (line,) = [
        line for line in printed.splitlines() if line.strip().startswith('Point-PEFT ') and '1,250' in line
    ]
    assert line.split() == ['Point-PEFT', '1,250', '91.3', '+-', '1.0', '61', '0.12']
    assert '3 draws' in printed and "2.0 times full fine-tuning's time" in printed
    assert max(map(len, printed.splitlines())) <= 80
    faster = {
        row.method: row for row in (rows[0], MethodRow('Point-PEFT', 1250, accuracy, None, 9.0, 0.1), rows[2])
    }
    assert quickstart.why_slower(faster) == ''


def test_environment_needs_a_new_python(tmp_path: Path) -> None:
    """An interpreter that is missing or too old is one sentence, and nothing is made."""
    old = tmp_path / 'python3'
    old.write_text('#!/bin/sh\nexit 1\n')
    old.chmod(0o755)
    for python in (old, tmp_path / 'missing'):
        done = run('bash', 'tools/setup_env.sh', PYTHON=str(python), VENV=str(tmp_path / 'venv'))
        assert done.returncode == 1
        assert done.stderr.startswith(f'error: no Python >= 3.10 found (tried {python}')
    assert not (tmp_path / 'venv').exists()


def test_environment_that_is_broken_is_not_touched(tmp_path: Path) -> None:
    """A directory that is no environment is named, not overwritten."""
    (tmp_path / 'venv').mkdir()
    (tmp_path / 'venv' / 'mine').touch()
    done = run('bash', 'tools/setup_env.sh', VENV=str(tmp_path / 'venv'))
    assert done.returncode == 1
    assert 'holds no working Python >= 3.10; delete it' in done.stderr
    assert [path.name for path in (tmp_path / 'venv').iterdir()] == ['mine']
