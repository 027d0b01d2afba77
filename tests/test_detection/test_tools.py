"""Tools as a user calls them on detectors: several processes, benchmark."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip('mmdet3d')

from toy_tools import run, run_python

from point_peft.io.weights import load_checkpoint_file

SMALL = (
    'train_dataloader.dataset.num_scenes=8',
    'val_dataloader.dataset.num_scenes=2',
    'train_dataloader.batch_size=2',
    'model.backbone.backbone.num_groups=64',
    'train_cfg.max_epochs=1',
    'train_cfg.val_interval=1',
)


@pytest.mark.parametrize('detector', ['votenet', 'groupfree3d', '3detr'])
def test_two_processes(detector: str, tmp_path: Path) -> None:
    """Every trained parameter takes part in the loss of every process, and the metric sees all rooms."""
    config = f'configs/point_peft/pointmae_mini_{detector}_shapes_scene.py'
    heads = dict(
        votenet='vote_aggregation_cfg.num_point', groupfree3d='num_proposal', **{'3detr': 'num_queries'}
    )
    code, output = run(
        'bash', 'tools/dist_train.sh', config, 2, '--work-dir', tmp_path / 'run', '--cfg-options',
        f'data_root={tmp_path / "data"}', f'model.bbox_head.{heads[detector]}=32', *SMALL,
    )  # fmt: skip
    assert code == 0, output
    assert re.search(r'Epoch\(val\) \[1\]\[1/1\].* mAP_0\.25: \d', output), output
    assert 'number of instances per category' not in output
    assert (tmp_path / 'run' / 'epoch_1.pth').is_file()


def test_benchmark(tmp_path: Path) -> None:
    """Cost of a method on rooms of its training set, as a ratio to full fine-tuning."""
    names = [f'configs/{method}/pointmae_mini_votenet_scannet.py' for method in ('full', 'linear_probe')]
    real = Path(__file__).resolve().parents[3] / 'shared' / 'data' / 'scannet'
    if not real.is_dir():
        pytest.skip('the real rooms are not here')
    configs = []
    for name in names:
        path = tmp_path / name.replace('/', '_')
        source = Path(__file__).resolve().parents[2] / name
        path.write_text(f'_base_ = {str(source)!r}\n' + LOCAL.format(root=str(real)))
        configs.append(path)
    code, output = run_python(
        'tools/analysis_tools/benchmark.py', *configs, '--batch-size', 2, '--repeats', 1,
        '--threads', 1, '--json', tmp_path / 'cost.json',
    )  # fmt: skip
    assert code == 0, output
    cost = json.loads((tmp_path / 'cost.json').read_text())
    full, frozen = (cost['ratios_to_first'][str(path)] for path in configs)
    assert full['train_step_s'] == 1 and 0 < frozen['trainable'] < 1 and frozen['train_step_gflops'] < 1


LOCAL = """
train_dataloader = dict(dataset=dict(dataset=dict(data_root={root!r})))
model = dict(backbone=dict(backbone=dict(num_groups=64)))
"""


SCRIPT = """
import torch
from point_peft.apis import init_model

model = init_model('{config}')
found = model(dict(points=[torch.rand(2000, 4) for _ in range(2)]), mode='tensor')
print(tuple(found['aggregated_points'].shape))
"""


def test_init_model_and_memory_bank(tmp_path: Path) -> None:
    """A detector from Python with a line or two of log; its memory bank built beforehand, one row for every room."""
    config = 'configs/point_peft/pointmae_mini_votenet_shapes_scene.py'
    code, output = run(sys.executable, '-c', SCRIPT.format(config=config))
    assert code == 0, output
    assert 'the backbone is pre-trained (checkpoints/' in output and '(2, 256, 3)' in output
    assert 'bbox_head.' not in output

    bank = tmp_path / 'bank.safetensors'
    options = (f'data_root={tmp_path / "data"}', 'train_dataloader.dataset.num_scenes=9')
    code, output = run_python(
        'tools/build_memory_bank.py', config, '--out', bank, '--batch-size', 4, '--cfg-options', *options
    )
    assert code == 0, output
    assert 'wrote 9 features' in output and load_checkpoint_file(bank)['state_dict']['keys'].shape == (9, 192)
