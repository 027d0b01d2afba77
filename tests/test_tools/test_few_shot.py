"""The tool that runs all folds, on a backbone and data small enough for seconds."""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import warm_python

from point_peft.backbones import PointMAE
from point_peft.io.weights import load_checkpoint_file, save_checkpoint

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'configs/point_peft/pointmae_mini_fewshot_shapes.py'
SIZES = dict(embed_dim=16, depth=2, num_heads=2, num_groups=16, group_size=8, patch_dims=(8, 8, 16))
EPOCHS = 30


@pytest.fixture(scope='module')
def tiny(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options for a tiny backbone with weights of its own, 11 objects per class, 30 epochs, some checkpoints."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'tiny.safetensors'
    save_checkpoint(path, PointMAE(class_token=False, drop_path_rate=0.0, **SIZES).state_dict(), {})
    sizes = [f'model.backbone.{name}={value}'.replace(' ', '') for name, value in SIZES.items()]
    data = [f'{kind}_dataloader.dataset.dataset.num_samples=160' for kind in ('train', 'test')]
    data += [f'{kind}_dataloader.dataset.dataset.num_points=64' for kind in ('train', 'test')]
    schedule = [f'train_cfg.max_epochs={EPOCHS}', 'param_scheduler.0.end=1', 'param_scheduler.1.begin=1']
    schedule += [f'param_scheduler.1.end={EPOCHS}', 'default_hooks.checkpoint.interval=3']
    return [
        *sizes,
        *data,
        *schedule,
        f'model.backbone.init_cfg.checkpoint={path}',
        'test_dataloader.dataset.num_queries=4',
        'default_hooks.protocol.test_interval=10',
        'optim_wrapper.optimizer.lr=0.01',
    ]


def command(
    work_dir: Path, options: Sequence[str], *, ways: int = 3, shots: int = 4, folds: int = 2
) -> list[str]:
    """The command for two folds with three classes and four objects each."""
    flags = ['--ways', ways, '--shots', shots, '--folds', folds, '--work-dir', work_dir, '--device', 'cpu']
    return [
        str(part) for part in [sys.executable, 'tools/few_shot.py', CONFIG, *flags, '--cfg-options', *options]
    ]


def environment() -> dict[str, str]:
    """One thread, and the package of this checkout."""
    return {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT / 'projects')}


def run(parts: Sequence[str]) -> subprocess.CompletedProcess:
    """Run a command in the repository."""
    return warm_python.run(parts, env=environment())


@pytest.fixture(scope='module')
def finished(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> tuple[Path, str]:
    """Work directory and output of two folds that nothing interrupted."""
    work_dir = tmp_path_factory.mktemp('few_shot') / 'work'
    done = run(command(work_dir, tiny))
    assert done.returncode == 0, done.stdout + done.stderr
    return work_dir, done.stdout


def results_of(work_dir: Path) -> list[dict[str, Any]]:
    """What the tool wrote, without what differs from run to run."""
    lines = [json.loads(line) for line in (work_dir / 'results.jsonl').read_text().splitlines()]
    return [{key: line[key] for key in ('draw', 'last', 'best_on_test', 'options')} for line in lines]


def run_of(work_dir: Path, fold: int) -> Path:
    """Where a fold is trained."""
    return work_dir / 'cells' / Path(CONFIG).stem / f'fold_{fold}' / 'run'


def logs_of(work_dir: Path, fold: int) -> list[str]:
    """The logs of the trainings of a fold, oldest first."""
    return [path.read_text() for path in sorted(run_of(work_dir, fold).glob('*/*.log'))]


def test_mean_and_deviation(finished: tuple[Path, str]) -> None:
    """Every fold is trained on its own classes; the numbers are those of the folds' own reports."""
    work_dir, output = finished
    results = results_of(work_dir)
    values: dict[str, list[float]] = dict(last=[], best_on_test=[])
    for fold in range(2):
        history = json.loads((run_of(work_dir, fold) / 'protocol.json').read_text())['history']
        assert [epoch['epoch'] for epoch in history] == [10, 20, 30] and not any(e['val'] for e in history)
        accuracies = [epoch['test']['overall_accuracy'] for epoch in history]
        values['last'].append(accuracies[-1])
        values['best_on_test'].append(max(accuracies))
        assert f'fold_{fold}: {accuracies[-1]:.2f} after 30 epochs' in output.replace('\n', '')
        bank = load_checkpoint_file(run_of(work_dir, fold) / 'memory_bank.safetensors')
        assert bank['meta']['provenance']['few_shot'] == (
            f'3-way 4-shot, fold {fold} of ProceduralShapes, seed 0'
        )
    assert [result['draw'] for result in results] == ['fold 0', 'fold 1']
    assert results[1]['options']['train_dataloader.dataset.num_shots'] == 4
    rows = [
        re.search(rf'^{name} +(\S+) +(\S+)$', output, re.MULTILINE) for name in ('mean', 'standard deviation')
    ]
    means, spreads = ([float(cell) for cell in row.groups()] for row in rows if row is not None)
    for key, mean, spread in zip(values, means, spreads):
        assert [result[key] for result in results] == values[key]
        assert mean == pytest.approx(statistics.mean(values[key]), abs=0.005)
        assert spread == pytest.approx(abs(values[key][0] - values[key][1]) / 2**0.5, abs=0.005)
    assert 'as papers report' in output


def test_finished_folds_are_kept(finished: tuple[Path, str], tiny: list[str]) -> None:
    """The same command again trains nothing and gives the same results."""
    work_dir, output = finished
    before = results_of(work_dir)
    done = run(command(work_dir, tiny))
    assert done.returncode == 0, done.stderr
    assert (
        'after 30 epochs' not in done.stdout and done.stdout.split('\nmean')[1] == output.split('\nmean')[1]
    )
    assert results_of(work_dir) == before
    assert all(len(logs_of(work_dir, fold)) == 1 for fold in range(2))


def test_resume_after_interruption(finished: tuple[Path, str], tiny: list[str], tmp_path: Path) -> None:
    """Stopped in the second fold: the training stops too, and the same command repeats no finished fold or epoch."""
    work_dir = tmp_path / 'work'
    log = run_of(work_dir, 1).with_name('log.txt')
    with subprocess.Popen(
        command(work_dir, tiny), cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL
    ) as process:
        while not log.is_file() or not re.search(r'Epoch\(train\) +\[4\]', log.read_text()):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert len(results_of(work_dir)) == 1
    stopped = logs_of(work_dir, 1)[0]
    time.sleep(1)
    assert logs_of(work_dir, 1) == [stopped]

    done = run(command(work_dir, tiny))
    assert done.returncode == 0, done.stderr
    assert len(logs_of(work_dir, 0)) == 1
    assert 'resumed epoch: ' in logs_of(work_dir, 1)[1]
    assert results_of(work_dir) == results_of(finished[0])


def test_failed_fold(tiny: list[str], tmp_path: Path) -> None:
    """The training's own sentence is shown: eight clouds cannot be retrieved from two."""
    done = run(command(tmp_path / 'work', tiny, ways=2, shots=1))
    assert done.returncode == 1
    assert 'the memory bank holds 2 clouds but 8 are to be retrieved' in done.stderr
    assert 'fold_0 stopped with exit code 1' in done.stderr
    assert not (tmp_path / 'work' / 'results.jsonl').exists()


def test_errors_are_one_sentence(tmp_path: Path) -> None:
    """As a command: exit code 1 and a single line."""
    done = run([*command(tmp_path / 'work', ['model.head.dropout=0.1'], folds=11)])
    assert done.returncode == 1 and done.stdout == ''
    assert done.stderr.startswith('error: --folds 11') and done.stderr.count('\n') == 1
