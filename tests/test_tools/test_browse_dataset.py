"""The tools that show and check a dataset."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import warm_python
from matplotlib.image import imread

ROOT = Path(__file__).resolve().parents[2]
SHAPES = 'configs/_base_/datasets/shapes_scan.py'
HAS_TIER = all(importlib.util.find_spec(name) for name in ('mmcv', 'mmdet', 'mmdet3d'))
SMALL = [f'{name}_dataloader.dataset.num_samples=48' for name in ('train', 'val', 'test')]


def run(tool: str, *arguments: str) -> subprocess.CompletedProcess:
    """Run a tool in the repository without a display."""
    environment = {**os.environ, 'COLUMNS': '120', 'DISPLAY': ''}
    command = [sys.executable, f'tools/{tool}', *arguments]
    return warm_python.run(command, env=environment)


@pytest.mark.parametrize(
    ('split', 'show', 'num', 'pages', 'colors'), [('train', 'parts', 8, 1, 5), ('test', 'none', 50, 2, 20)]
)
def test_pictures(tmp_path: Path, split: str, show: str, num: int, pages: int, colors: int) -> None:
    """As many pages of 48 clouds as are needed, with points in several colors."""
    options = [*SMALL, f'{split}_dataloader.dataset.num_samples=60']
    flags = f'--out-dir {tmp_path} --split {split} --show {show} --num {num} --cfg-options'.split()
    done = run('misc/browse_dataset.py', SHAPES, *flags, *options)
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f'{split}_{page:03d}.png' for page in range(pages)]
    picture = (imread(tmp_path / f'{split}_000.png')[..., :3] * 255).astype(np.uint32)
    flat = picture[..., 0] * 65536 + picture[..., 1] * 256 + picture[..., 2]
    assert len(np.unique(flat)) > colors
    assert 0.005 < (flat != 0xFFFFFF).mean() < 0.5


def test_no_parts(modelnet_root: Path, tmp_path: Path) -> None:
    """Asking for the parts of a dataset without them is one sentence."""
    flags = f'--show parts --out-dir {tmp_path} --cfg-options data_root={modelnet_root}'.split()
    done = run('misc/browse_dataset.py', 'configs/_base_/datasets/modelnet10.py', *flags)
    assert done.returncode == 1
    assert done.stderr.strip().endswith('has no part labels; use --show none.')
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize('show', ['boxes', 'labels'])
def test_objects_have_no_boxes(tmp_path: Path, show: str) -> None:
    """What only rooms have is one sentence."""
    flags = f'--show {show} --out-dir {tmp_path} --cfg-options'.split()
    done = run('misc/browse_dataset.py', SHAPES, *flags, *SMALL)
    assert done.returncode == 1
    assert done.stderr.strip().endswith(f'is of objects, which have no {show}; use --show none.')


@pytest.mark.skipif(HAS_TIER, reason='the detection tier is installed')
@pytest.mark.parametrize('tool', ['misc/browse_dataset.py', 'dataset_converters/check_dataset.py'])
def test_missing_tier(tool: str) -> None:
    """Rooms without the packages that read them: one sentence with the command that installs them."""
    done = run(tool, 'configs/_base_/datasets/scannet_seg.py')
    assert done.returncode == 1
    assert done.stderr.strip().endswith('install it with: bash tools/setup_env.sh runtime detection')
    assert 'Traceback' not in done.stderr


def test_missing_data(tmp_path: Path) -> None:
    """A dataset that is not there is one sentence, from both tools."""
    for tool in ('misc/browse_dataset.py', 'dataset_converters/check_dataset.py'):
        done = run(
            tool, 'configs/_base_/datasets/scanobjnn_objbg.py', '--cfg-options', f'data_root={tmp_path}'
        )
        assert done.returncode == 1
        assert f"'{tmp_path}/main_split/training_objectdataset.h5' does not exist" in done.stderr
        assert 'Traceback' not in done.stderr


def test_check_dataset() -> None:
    """Counts of every class and the ranges of every split."""
    done = run('dataset_converters/check_dataset.py', SHAPES, '--cfg-options', *SMALL)
    assert done.returncode == 0, done.stderr
    rows = [line.replace('│', ' ').split() for line in done.stdout.splitlines() if '│' in line]
    assert ['airplane', '3', '3', '3'] in rows and ['all', '48', '48', '48'] in rows
    ranges = next(row for row in rows if row[:2] == ['train', '1024'])
    assert '1.000' in ranges


@pytest.fixture
def modelnet_root(tmp_path: Path) -> Path:
    """A tiny ModelNet10."""
    import h5py

    root = tmp_path / 'modelnet'
    root.mkdir()
    for subset in ('train', 'test'):
        with h5py.File(root / f'{subset}0.h5', 'w') as file:
            file['data'] = np.random.default_rng(0).standard_normal((20, 16, 3))
            file['label'] = np.arange(20) % 10
        (root / f'{subset}_files.txt').write_text(f'{subset}0.h5\n')
    (root / 'shape_names.txt').write_text('\n'.join('abcdefghij'))
    return root
