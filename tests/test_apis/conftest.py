"""A small training on a directory, which several files of tests use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from point_peft.apis import TrainingResult, train
from point_peft.backbones import PointMAE
from point_peft.io.weights import save_checkpoint

CONFIG = 'point_peft/pointmae_mini_folder'
SIZES = dict(embed_dim=16, depth=2, num_heads=2, num_groups=16, group_size=8, patch_dims=(8, 8, 16))
EXTENTS = dict(ball=(1, 1, 1), disc=(1, 1, 0.1), rod=(0.1, 0.1, 1))


@pytest.fixture(scope='session')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of twelve clouds of several sizes, in three formats."""
    root = tmp_path_factory.mktemp('own') / 'my clouds'
    rng = np.random.default_rng(0)
    triangles = '\n'.join(f'f {i} {i + 1} {i + 2}' for i in range(1, 60))
    for name, extent in EXTENTS.items():
        (root / name).mkdir(parents=True)
        for number in range(12):
            points = rng.standard_normal((100 + 10 * number, 3)) * extent + 5
            if number % 3 == 0:
                np.save(root / name / f'{number}.npy', points)
            elif number % 3 == 1:
                np.savetxt(root / name / f'{number}.xyz', points)
            else:
                vertices = '\n'.join('v {} {} {}'.format(*point) for point in points)
                (root / name / f'{number}.obj').write_text(f'{vertices}\n{triangles}\n')
    return root


@pytest.fixture(scope='session')
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Options for a tiny backbone with weights of its own, few points and four epochs."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'tiny.safetensors'
    save_checkpoint(path, PointMAE(class_token=False, drop_path_rate=0.0, **SIZES).state_dict(), {})
    options: dict[str, Any] = {f'model.backbone.{name}': value for name, value in SIZES.items()}
    options |= {f'{split}_dataloader.dataset.num_points': 128 for split in ('train', 'val', 'test')}
    options |= {'data_preprocessor.num_points': 128, 'data_preprocessor.num_candidates': 128}
    return options | {'model.backbone.init_cfg.checkpoint': str(path), 'train_cfg.max_epochs': 4}


@pytest.fixture(scope='session')
def trained(tmp_path_factory: pytest.TempPathFactory, data: Path, tiny: dict[str, Any]) -> TrainingResult:
    """A model of the three classes."""
    work_dir = tmp_path_factory.mktemp('run') / 'work'
    return train(CONFIG, data, options=tiny, work_dir=work_dir, patience=3, seed=1, device='cpu')
