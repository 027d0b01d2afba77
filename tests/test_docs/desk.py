"""A directory in which the commands of the documentation find what they name: small, and made in seconds."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import warm_python

ROOT = Path(__file__).resolve().parents[2]
SIZES = dict(
    embed_dim=16, depth=2, num_heads=2, num_groups=16, group_size=8, patch_dims=(8, 8, 16), init_cfg=None
)
CONFIG = """
parts = dict(backbone='pointmae_mini', task='{task}', method='point_peft')
backbone = {sizes}
{data}
train_cfg = dict(max_epochs=1)
"""
FEW = """
train_dataloader = dict(batch_size=16, dataset=dict(num_samples=32, num_points=128))
val_dataloader = dict(dataset=dict(num_samples=16, num_points=128))
test_dataloader = dict(dataset=dict(num_samples=16, num_points=128))
"""
TRAINED = 'work_dirs/mine/epoch_1.pth'
MEANT = {
    'CONFIG': 'mine.py',
    'PART_CHECKPOINT': 'work_dirs/parts/epoch_1.pth',
    **dict.fromkeys(('CHECKPOINT', 'FILE', 'ADAPTER'), TRAINED),
    'work_dirs/x/best_overall_accuracy_epoch_9.pth': TRAINED,
    'work_dirs/point_peft/pointmae_mini_folder_my_clouds/epoch_50.pth': TRAINED,
    'load_from=work_dirs/x/epoch_20.pth': f'load_from={TRAINED}',
}
"""What stands for the words that a reader replaces, and for the files of runs that take long."""


def make(root: Path) -> Path:
    """Fill a directory: the repository's folders, clouds of three classes, two configs and their checkpoints."""
    for name in ('configs', 'tools', 'projects'):
        (root / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / 'checkpoints', root / 'checkpoints', symlinks=True)
    _write_clouds(root)
    for name, task, data in (('mine', 'shapes', FEW), ('parts', 'shapes_part', FEW)):
        (root / f'{name}.py').write_text(CONFIG.format(task=task, sizes=SIZES, data=data))
        printed = run(['tools/train.py', f'{name}.py', '--work-dir', f'work_dirs/{name}'], root)
        (root / f'work_dirs/{name}/screen.txt').write_text(printed)
    return root


def run(words: list[str], root: Path) -> str:
    """Run a tool in a process of its own, on one thread of the CPU; it has to end well. What it prints."""
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1', 'DISPLAY': ''}
    environment |= {'PYTHONPATH': str(ROOT / 'projects'), 'CUDA_VISIBLE_DEVICES': ''}
    done = warm_python.run([sys.executable, *words], cwd=root, env=environment)
    assert done.returncode == 0, f'{" ".join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}'
    return done.stdout


def _write_clouds(root: Path) -> None:
    rng = np.random.default_rng(0)
    for name, extent in dict(ball=(1, 1, 1), disc=(1, 1, 0.1), rod=(0.1, 0.1, 1)).items():
        (root / 'my_clouds' / name).mkdir(parents=True)
        for number in range(12):
            np.save(root / 'my_clouds' / name / f'{number}.npy', rng.standard_normal((150, 3)) * extent)
    for folder in ('new_scans', 'more'):
        (root / folder).mkdir()
    for name in ('new_scans/a', 'new_scans/b', 'more/chair', 'chair', 'cloud'):
        write_ply(root / f'{name}.ply', rng.standard_normal((150, 3)))
    corners = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    lines = [f'v {x} {y} {z}' for x, y, z in corners] + ['f 1 2 3', 'f 1 2 4', 'f 1 3 4', 'f 2 3 4']
    for name in ('mug', 'mesh'):
        (root / f'{name}.obj').write_text('\n'.join(lines))


def write_ply(path: Path, points: np.ndarray) -> None:
    """Write points (N, 3) as text."""
    header = ['ply', 'format ascii 1.0', f'element vertex {len(points)}']
    header += [f'property float {axis}' for axis in 'xyz'] + ['end_header']
    path.write_text('\n'.join([*header, *(' '.join(map(str, point)) for point in points)]) + '\n')
