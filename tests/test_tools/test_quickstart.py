"""The quickstart, on a backbone and data small enough for seconds, and the script that sets it up."""

from __future__ import annotations

import argparse
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
from matplotlib.image import imread

from point_peft.backbones import PointMAE
from point_peft.engine.checkpoint import save_checkpoint
from point_peft.engine.config import load_config
from point_peft.engine.config_check import check_config
from point_peft.engine.errors import ConfigError, PointPEFTError

ROOT = Path(__file__).resolve().parents[2]
SIZES = dict(embed_dim=16, depth=2, num_heads=2, num_groups=16, group_size=8, patch_dims=(8, 8, 16))
METHODS = ('point_peft', 'full', 'linear_probe')
RESULT = dict(
    name='Point-PEFT',
    trainable_parameters=1250,
    all_parameters=10000,
    test_last=91.256,
    test_best_on_val=92.0,
    seconds=61.4,
    adapter_mb=0.125,
    bank_mb=0.0,
)


@pytest.fixture
def quickstart(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    """The tool as a module."""
    return load_tool('quickstart.py')


@pytest.fixture
def tiny(tmp_path: Path) -> list[str]:
    """Options that put a tiny backbone with weights of its own in place of the shipped one."""
    torch.manual_seed(0)
    path = tmp_path / 'tiny.safetensors'
    state = PointMAE(class_token=False, drop_path_rate=0.0, **SIZES).state_dict()
    save_checkpoint(path, state, {})
    sizes = [f'model.backbone.{name}={value}'.replace(' ', '') for name, value in SIZES.items()]
    return [*sizes, f'model.backbone.init_cfg.checkpoint={path}', 'data_preprocessor.num_points=64']


def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess:
    """Run a command in the repository with one thread and no display."""
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'DISPLAY': '', 'COLUMNS': '80', **variables}
    environment['PYTHONPATH'] = str(ROOT / 'projects')
    command = [str(argument) for argument in arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def quickstart_command(work_dir: Path, options: Sequence[str]) -> list[object]:
    """The shortest quickstart."""
    flags = ['--epochs', 1, '--samples', 32, '--work-dir', work_dir, '--cfg-options', *options]
    return [sys.executable, 'tools/quickstart.py', *flags]


def test_end_to_end(tmp_path: Path, tiny: list[str]) -> None:
    """Three trainings, shown as they go; then table, results and picture."""
    work_dir = tmp_path / 'quick'
    done = run(*quickstart_command(work_dir, tiny))
    assert done.returncode == 0, done.stderr
    places = [done.stdout.index(f'[{number}/3]') for number in (1, 2, 3)]
    assert places == sorted(places)
    assert done.stdout.count('Epoch(train) [1][1/1]') == done.stdout.count('trainable params: ') == 3

    results = json.loads((work_dir / 'results.json').read_text())
    peft, full, linear = results['methods']
    assert linear['trainable_parameters'] == (2 * 16 + 1) * 16  # max and mean of 16 features, 16 classes
    assert full['trainable_parameters'] == full['all_parameters']
    assert linear['adapter_mb'] < peft['adapter_mb'] < full['adapter_mb']
    assert (peft['bank_mb'], full['bank_mb']) == (pytest.approx(32 * 16 * 4 / 2**20), 0)
    for method, result in zip(METHODS, results['methods']):
        rows = json.loads((work_dir / method / 'protocol.json').read_text())['rows']
        assert [row['label'] for row in rows[:2]] == ['last', 'best on val']
        assert result['test_last'] == rows[0]['test']['overall_accuracy']
    table = (work_dir / 'table.md').read_text().splitlines()
    assert [line.split(' | ')[0] for line in table[2:]] == [
        '| Point-PEFT',
        '| full fine-tuning',
        '| linear probing',
    ]
    assert imread(work_dir / 'picture.png').shape[1] == 1320


def test_failed_training_is_reported(tmp_path: Path) -> None:
    """The reason is shown, and the exit code is not zero."""
    done = run(*quickstart_command(tmp_path / 'quick', ['model.backbone.embed_dimm=16']))
    assert done.returncode == 1
    assert "did you mean 'embed_dim'?" in done.stderr
    assert 'Point-PEFT stopped with exit code 1' in done.stderr
    assert not (tmp_path / 'quick' / 'table.md').exists()


def test_stopped_quickstart_leaves_no_training(tmp_path: Path, tiny: list[str]) -> None:
    """The signal reaches the training, which says how it ended; the exit code is that of the signal."""
    options = [*tiny, 'train_cfg.max_epochs=1000']
    command = [str(part) for part in quickstart_command(tmp_path / 'quick', options)]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT / 'projects')}
    with subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert any('Epoch(train)' in line for line in process.stdout)
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    logs = sorted((tmp_path / 'quick/point_peft').glob('*/*.log'))
    size = logs[-1].stat().st_size
    time.sleep(1)
    assert logs[-1].stat().st_size == size


def test_running_again_clears_only_its_own(tmp_path: Path, quickstart: ModuleType) -> None:
    """Old trainings and results go; what others put there stays."""
    work_dir = tmp_path / 'quick'
    quickstart.prepare_directory(work_dir)
    for name in ('point_peft/epoch_1.pth', 'table.md', 'notes.txt', 'other/file'):
        (work_dir / name).parent.mkdir(exist_ok=True)
        (work_dir / name).touch()
    quickstart.prepare_directory(work_dir)
    left = {str(path.relative_to(work_dir)) for path in work_dir.rglob('*') if path.is_file()}
    assert left == {'.quickstart', 'notes.txt', 'other/file'}


def test_directory_of_something_else_is_left_alone(tmp_path: Path, quickstart: ModuleType) -> None:
    """A directory that the quickstart did not make is refused and stays as it is."""
    (tmp_path / 'full').mkdir()
    with pytest.raises(PointPEFTError, match='holds files of something else; give another --work-dir'):
        quickstart.prepare_directory(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['full']


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('epochs', [1, 8])
def test_options_fit_the_configs(
    quickstart: ModuleType, monkeypatch: pytest.MonkeyPatch, method: str, epochs: int
) -> None:
    """Every key exists, and the schedule ends with the training."""
    monkeypatch.chdir(ROOT)
    options = dict(option.split('=') for option in quickstart.config_options(epochs, 96))
    config = load_config(f'configs/{method}/{quickstart.CONFIG}')
    for key in options:
        section = config
        for part in key.split('.'):
            section = section[int(part) if part.isdigit() else part]
    config.merge_from_dict({key: int(value) for key, value in options.items()})
    check_config(config)
    warmup, cosine = config.param_scheduler
    assert warmup.end == cosine.begin == 1
    assert cosine.end == max(epochs, 2)
    assert config.val_dataloader.dataset.num_samples == 16


def test_table_by_hand(quickstart: ModuleType, capsys: pytest.CaptureFixture) -> None:
    """Thousands are separated, shares and sizes rounded; the printed table has the same cells."""
    title, _, row = quickstart.markdown_table([RESULT]).splitlines()
    assert row == '| Point-PEFT | 1,250 | 12.5 % | 91.26 | 92.00 | 61 | 0.12 | 0.00 |'
    assert 'test, last | test, best on val | seconds | adapter MB' in title
    quickstart.show([RESULT])
    (printed,) = [line for line in capsys.readouterr().out.splitlines() if 'Point-PEFT' in line]
    assert printed.split() == row.replace('|', ' ').split()


def test_shown_lines_are_short(quickstart: ModuleType) -> None:
    """Of a log line the epoch, the step and the loss are left."""
    line = '11/24 06:50:54 - mmengine - INFO - Epoch(train) [1][2/4]  base_lr: 3.3e-04 lr: 3.3e-04  '
    line += 'eta: 0:00:01  time: 0.3  data_time: 0.003  grad_norm: 10.9  loss: 3.0140'
    shown = quickstart.SHOWN.search(line)
    assert quickstart.shorten(shown.group()) == 'Epoch(train) [1][2/4]  eta: 0:00:01  loss: 3.0140'
    assert quickstart.SHOWN.search('11/24 06:50:52 - mmengine - INFO - Config:') is None


@pytest.mark.parametrize(('epochs', 'samples'), [(0, 960), (1, 31)])
def test_too_little_to_train(quickstart: ModuleType, tmp_path: Path, epochs: int, samples: int) -> None:
    """Nothing is made for a training without a step."""
    args = argparse.Namespace(epochs=epochs, samples=samples, work_dir=tmp_path / 'quick', cfg_options=[])
    with pytest.raises(ConfigError, match='at least 1 epoch and 32 clouds'):
        quickstart.main(args)
    assert not args.work_dir.exists()


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
