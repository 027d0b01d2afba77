"""Pictures of segmented rooms: from a training to what the tools write."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import warm_python
from matplotlib.image import imread
from rooms import write_rooms

from point_peft.visualization.palette import FEW

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / 'shared' / 'data' / 'scannet'
CONFIG = 'configs/point_peft/pointmae_mini_scannet_seg.py'
DATA = 'configs/_base_/datasets/scannet_seg.py'

pytestmark = pytest.mark.usefixtures('detection_tier')


def run(tool: str, *arguments: Any) -> str:
    """Run a tool in the repository; its output."""
    done = warm_python.run([sys.executable, f'tools/{tool}', *arguments])
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


def options(root: Path, *, scenes: int) -> list[str]:
    """Changes of the config for a very short training in one process."""
    found = [f'data_root={root}', 'train_cfg.max_epochs=1', 'train_dataloader.batch_size=4']
    found.append(f'train_dataloader.dataset.scene_idxs={[0, 1] * scenes}'.replace(' ', ''))
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        found += [f'{loader}.num_workers=0', f'{loader}.persistent_workers=False']
    return found


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    """Two rooms to learn from and one to test on."""
    write_rooms(tmp_path / 'data', ['scene0000_00', 'scene0001_00'], 'scannet_infos_train.pkl')
    write_rooms(tmp_path / 'data', ['scene0002_00'], 'scannet_infos_val.pkl')
    return tmp_path / 'data'


def train_and_show(root: Path, work: Path) -> tuple[dict, Path]:
    """The metrics of a test after a short training, and the directory with its pictures."""
    changes = options(root, scenes=4)
    flags = ['--work-dir', work, '--device', 'cpu', '--cfg-options', *changes]
    run('train.py', CONFIG, '--no-validate', *flags, 'default_hooks.checkpoint.save_best=None')
    out, metrics = work / 'show', work / 'metrics.json'
    output = run('test.py', CONFIG, work / 'epoch_1.pth', '--show-dir', out, '--out', metrics, *flags)
    assert f'1 clouds are shown in {out}' in output
    assert sorted(path.name for path in out.iterdir()) == ['cloud_000.png', 'clouds.html']
    return json.loads(metrics.read_text(), parse_constant=pytest.fail), out


def colors_of(picture: np.ndarray) -> dict[str, int]:
    """How many pixels have each color."""
    values, counts = np.unique((picture * 255).round().astype(int).reshape(-1, 3), axis=0, return_counts=True)
    return {f'#{r:02X}{g:02X}{b:02X}': int(count) for (r, g, b), count in zip(values, counts)}


def test_true_and_predicted_labels(made_up: Path, tmp_path: Path) -> None:
    """Both panels are colored, the share of right points is the metric's, and absent classes are null in the file."""
    metrics, out = train_and_show(made_up, tmp_path / 'work')
    assert metrics['sofa'] is None and 0 <= metrics['acc'] <= 1
    page = (out / 'clouds.html').read_text()
    assert f'scene0002_00.bin: {100 * metrics["acc"]:.1f} % of the points with a class are right' in page
    picture = imread(out / 'cloud_000.png')[..., :3]
    height, width = picture.shape[:2]
    assert width > 1.4 * height
    true = colors_of(picture[: int(0.8 * height), : width // 2])
    assert all(true.get(color, 0) > 20 for color in FEW[:4])  # wall, floor, cabinet, bed
    predicted = picture[: int(0.8 * height), width // 2 :]
    assert (predicted.max(axis=-1) - predicted.min(axis=-1) > 0.2).mean() > 0.01


@pytest.mark.skipif(not REAL.is_dir(), reason='the real ScanNet scans are not here')
def test_real_scan(tmp_path: Path) -> None:
    """50 000 points are thinned to what a page holds, and are in metres."""
    metrics, out = train_and_show(REAL, tmp_path / 'work')
    assert metrics['bookshelf'] is None
    page = (out / 'clouds.html').read_text()
    assert f'scene0000_02.bin: {100 * metrics["acc"]:.1f} % of the points' in page
    assert (out / 'clouds.html').stat().st_size < 7e6
    (described,) = re.findall(r'<script type="application/json" id="clouds">(.*?)</script>', page, re.DOTALL)
    (cloud,) = json.loads(described)
    assert 6 < 2 * cloud['radius'] < 10  # the flat is 7.4 m wide


@pytest.mark.parametrize(('split', 'show'), [('train', 'auto'), ('val', 'labels'), ('val', 'none')])
def test_browse(made_up: Path, tmp_path: Path, split: str, show: str) -> None:
    """Blocks and whole rooms colored by true label, or not, as a picture and a page."""
    out = tmp_path / 'out'
    changes = ['train_dataloader.dataset.pipeline.3.num_points=512', *options(made_up, scenes=2)]
    flags = ['--split', split, '--num', 4, '--show', show, '--out-dir', out, '--cfg-options', *changes]
    run('misc/browse_dataset.py', DATA, *flags)
    assert sorted(path.name for path in out.iterdir()) == [f'{split}.html', f'{split}_000.png']
    found = colors_of(imread(out / f'{split}_000.png')[..., :3])
    page = (out / f'{split}.html').read_text()
    for label, name in enumerate(('wall', 'floor', 'cabinet', 'bed')):
        assert (found.get(FEW[label], 0) > 20) == (show != 'none')
        assert (f'"name":"{label} {name}"' in page) == (show != 'none')


def test_boxes_that_are_not_there(made_up: Path, tmp_path: Path) -> None:
    """One sentence."""
    flags = ['--split', 'val', '--show', 'boxes', '--out-dir', tmp_path / 'out', '--cfg-options']
    command = [sys.executable, 'tools/misc/browse_dataset.py', DATA, *flags, *options(made_up, scenes=2)]
    done = warm_python.run(command)
    assert done.returncode == 1
    assert done.stderr.strip().endswith('--show boxes: scene0002_00.bin has no boxes; use --show auto.')
