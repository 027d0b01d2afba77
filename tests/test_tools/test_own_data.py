"""From a directory of clouds to a model, a report and predictions, on a backbone small enough for seconds."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import torch
import warm_python
from matplotlib.image import imread

from point_peft.backbones import PointMAE
from point_peft.io.errors import PointPEFTError
from point_peft.io.weights import load_checkpoint_file, save_checkpoint

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'point_peft/pointmae_mini_folder'
SIZES = dict(embed_dim=16, depth=2, num_heads=2, num_groups=16, group_size=8, patch_dims=(8, 8, 16))
EXTENTS = dict(ball=(1, 1, 1), disc=(1, 1, 0.1), rod=(0.1, 0.1, 1))


def run(*command: Any) -> CompletedProcess:
    """Run a tool on one thread."""
    environment = {
        **os.environ,
        'OMP_NUM_THREADS': '1',
        'PYTHONPATH': str(ROOT / 'projects'),
        'COLUMNS': '200',
    }
    return warm_python.run([sys.executable, *map(str, command)], env=environment)


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of twelve clouds, in three formats."""
    root = tmp_path_factory.mktemp('own') / 'my clouds'
    rng = np.random.default_rng(0)
    for name, extent in EXTENTS.items():
        (root / name).mkdir(parents=True)
        for number in range(12):
            points = rng.standard_normal((150, 3)) * extent
            if number % 2:
                np.savetxt(root / name / f'{number}.xyz', points)
            else:
                np.save(root / name / f'{number}.npy', points)
    return root


@pytest.fixture(scope='module')
def tiny(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options for a tiny backbone with weights of its own, and few points."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'tiny.safetensors'
    save_checkpoint(path, PointMAE(class_token=False, drop_path_rate=0.0, **SIZES).state_dict(), {})
    options = [f'model.backbone.{name}={value}'.replace(' ', '') for name, value in SIZES.items()]
    options += [f'{split}_dataloader.dataset.num_points=128' for split in ('train', 'val', 'test')]
    options += ['data_preprocessor.num_points=128', 'data_preprocessor.num_candidates=128']
    return [*options, f'model.backbone.init_cfg.checkpoint={path}']


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory, data: Path, tiny: list[str]) -> tuple[Path, str]:
    """Work directory and output of a training of four epochs."""
    work_dir = tmp_path_factory.mktemp('run') / 'work'
    flags = ['--data', data, '--device', 'cpu', '--work-dir', work_dir, '--patience', 3]
    done = run('tools/train.py', CONFIG, *flags, '--cfg-options', *tiny, 'train_cfg.max_epochs=4')
    assert done.returncode == 0, done.stdout + done.stderr
    return work_dir, done.stdout


def test_training(trained: tuple[Path, str]) -> None:
    """Classes are counted and kept, the splits are said, and the report is about the checkpoint that is named."""
    work_dir, output = trained
    assert 'my clouds: 36 objects of 3 classes' in output
    lines = output.splitlines()
    first_loss = next(number for number, line in enumerate(lines) if ' loss: ' in line)
    assert first_loss <= 20 and '' not in lines[:first_loss]
    assert [line.split() for line in output.splitlines() if line.strip().startswith('all ')][0][0] == 'all'
    assert 'the result is that of the best epoch on validation' in output  # as with every --patience
    report = json.loads((work_dir / 'report' / 'report.json').read_text())
    best = next(work_dir.glob('best_*.pth'))
    assert report['checkpoint'] == str(best) and f'tools/infer.py {best}' in output
    row = next(
        row
        for row in json.loads((work_dir / 'protocol.json').read_text())['rows']
        if row['label'] == 'best on val'
    )
    assert report['accuracy']['percent'] == pytest.approx(row['test']['overall_accuracy'])
    assert report['accuracy']['low'] < report['accuracy']['percent'] <= report['accuracy']['high'] <= 100
    assert [entry['name'] for entry in report['classes']] == sorted(EXTENTS)
    content = load_checkpoint_file(best)
    assert 'num_classes=3' in content['meta']['cfg']
    assert imread(work_dir / 'report' / 'report.png').size
    rows = list(csv.DictReader((work_dir / 'report' / 'predictions.csv').open()))
    wrong = [row for row in rows if row['true'] != row['class']]
    assert len(rows) == report['objects'] and (work_dir / 'report' / 'mistakes.html').exists() == bool(wrong)


def test_predictions(trained: tuple[Path, str], data: Path, tmp_path: Path) -> None:
    """The checkpoint alone predicts a directory as the test did; a bad file is named and passed over."""
    work_dir, _ = trained
    tested = {row['file']: row for row in csv.DictReader((work_dir / 'report' / 'predictions.csv').open())}
    (tmp_path / 'bad.xyz').write_text('1 2\n')
    out = tmp_path / 'predictions.csv'
    checkpoint = next(work_dir.glob('best_*.pth'))
    done = run('tools/infer.py', checkpoint, data, tmp_path / 'bad.xyz', '--out', out)
    assert done.returncode == 0, done.stderr
    assert 'passed over: ' in done.stderr and 'bad.xyz' in done.stderr
    rows = {row['file']: row for row in csv.DictReader(out.open())}
    assert len(rows) == 37 and rows[str(tmp_path / 'bad.xyz')]['class'] == ''
    assert 'is not a table of numbers' in rows[str(tmp_path / 'bad.xyz')]['error']
    for file, row in tested.items():
        assert rows[file]['class'] == row['class']
        assert float(rows[file]['p:ball']) == pytest.approx(float(row['p:ball']), abs=1e-4)


def test_folds(data: Path, tiny: list[str], tmp_path: Path) -> None:
    """Every object is tested once; the accuracies of the folds, their mean and the whole are said."""
    flags = ['--data', data, '--folds', 2, '--device', 'cpu', '--work-dir', tmp_path / 'folds']
    done = run('tools/train.py', CONFIG, *flags, '--cfg-options', *tiny, 'train_cfg.max_epochs=1')
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / 'folds' / 'report' / 'report.json').read_text())
    assert report['objects'] == 36 and len(report['folds']) == 2
    assert report['mean'] == pytest.approx(sum(report['folds']) / 2)
    files = [
        row['file'] for row in csv.DictReader((tmp_path / 'folds' / 'report' / 'predictions.csv').open())
    ]
    assert sorted(files) == sorted(str(path) for path in data.rglob('*.*'))
    assert 'fold 1: ' in done.stdout and 'standard deviation' in done.stdout


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['--folds', '3'], '--folds is for a directory of your own; give it with --data'),
        (['--data', 'nowhere'], "'nowhere' does not exist"),
        (['--data', 'empty'], 'holds no class directories'),
        (['--data', 'single'], "has the single class 'chair', so there is nothing to tell apart"),
        (['--data', 'data', '--cfg-options', 'data_root=other'], 'are two directories; give one'),
        (['--data', 'data', '--folds', '3', '--resume'], '--resume does not go with --folds'),
        (['--data', 'data', '--cfg-options', 'num_classes=7'], 'has 3 classes, but .*num_classes is 7'),
    ],
)
def test_slips(
    flags: list[str], message: str, data: Path, tmp_path: Path, load_tool, monkeypatch, capsys
) -> None:
    """One sentence, and no directory is made."""
    tool = load_tool('train.py')
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'single' / 'chair').mkdir(parents=True)
    np.save(tmp_path / 'single' / 'chair' / '1.npy', np.eye(3))
    (tmp_path / 'data').symlink_to(data)
    monkeypatch.setattr(sys, 'argv', ['train.py', CONFIG, '--device', 'cpu', *flags])
    with pytest.raises(PointPEFTError, match=message):
        tool.main(tool.parse_args())
    assert not (tmp_path / 'work_dirs').exists()
