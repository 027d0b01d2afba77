"""Every detection config: one for each method, backbone, detector and data set; the encoder with its neck runs.

The detectors themselves need the detection tier (tests/test_detection).
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from point_peft.engine.config import load_config, part_files
from point_peft.methods import PEFTBackbone
from point_peft.models import SceneEncoder
from point_peft.necks import SeedNeck
from point_peft.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
METHODS = ('full', 'linear_probe', 'point_peft', 'lora')
BACKBONES = ('pointmae', 'pointmae_mini', 'pointbert', 'act', 'recon', 'pointgpt_s', 'pointm2ae')
DETECTORS = {
    'votenet': 'mmdet3d.VoteNet',
    'groupfree3d': 'mmdet3d.GroupFree3DNet',
    '3detr': 'point_peft.Detr3D',
}
DATASETS = {
    'scannet': 'mmdet3d.ScanNetDataset',
    'sunrgbd': 'mmdet3d.SUNRGBDDataset',
    'shapes_scene': 'ShapesScene',
}
WIDTHS = {'votenet': 256, 'groupfree3d': 288, '3detr': 256}

LEAVES = [
    f'{method}/{backbone}_{detector}_{dataset}'
    for method, backbone, detector, dataset in product(METHODS, BACKBONES, DETECTORS, DATASETS)
]


def load(name: str) -> Config:
    init_default_scope('point_peft')
    return load_config(CONFIGS / f'{name}.py')


def test_there_are_no_other_tasks() -> None:
    found = {name for name in part_files('task') if name.startswith(tuple(f'{key}_' for key in DETECTORS))}
    assert found == {f'{detector}_{dataset}' for detector in DETECTORS for dataset in DATASETS}


@pytest.mark.parametrize('name', LEAVES)
def test_leaf(name: str) -> None:
    """Names the classes of mmdet3d, and trains for at most 36 epochs."""
    cfg = load(name)
    detector, dataset = (
        next(value for key, value in kinds.items() if f'_{key}' in name) for kinds in (DETECTORS, DATASETS)
    )
    assert cfg.default_scope == 'point_peft' and cfg.model.type == detector
    train = cfg.train_dataloader.dataset
    assert dataset in (train.type, train.get('dataset', {}).get('type'))
    assert (
        cfg.model.bbox_head.num_classes
        == len(cfg.class_names)
        == len(cfg.model.bbox_head.bbox_coder.mean_sizes)
    )
    assert cfg.model.backbone.neck.out_channels == next(
        width for key, width in WIDTHS.items() if f'_{key}_' in name
    )
    assert cfg.train_cfg.max_epochs <= 36 and cfg.default_hooks.checkpoint.save_best == 'mAP_0.25'


@pytest.mark.parametrize('name', [name for name in LEAVES if name.endswith('_votenet_scannet')])
def test_encoder_and_neck(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They build without any file, fit together, and what should be frozen is."""
    monkeypatch.chdir(tmp_path)
    cfg = load(name)
    with torch.device('meta'):
        encoder = MODELS.build(cfg.model.backbone)
    assert isinstance(encoder, SceneEncoder) and isinstance(encoder.neck, SeedNeck)
    widths = [sum(encoder.backbone.layer_dims[layer] for layer in layers) for layers in encoder.stages]
    assert sum(widths) == encoder.neck.layers[0].in_features
    parameters = [p for name, p in encoder.named_parameters() if not name.startswith('neck.')]
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    total = sum(p.numel() for p in parameters)
    method = name.partition('/')[0]
    assert isinstance(encoder.backbone, PEFTBackbone) == (method != 'full')
    if method == 'full':
        assert trained > 0.95 * total and encoder.extra is not None
    elif method == 'linear_probe':
        assert trained == 0
    elif 'mini' not in name:
        assert 0 < trained < 0.06 * total


@pytest.mark.parametrize('name', [name for name in LEAVES if name.endswith('mini_votenet_shapes_scene')])
def test_small_encoder_runs(name: str) -> None:
    cfg = load(name)
    encoder = MODELS.build(cfg.model.backbone)
    generator = torch.Generator().manual_seed(0)
    seeds = encoder(4 * torch.rand(2, 1024, 4, generator=generator))
    groups = cfg.backbone.num_groups
    assert (
        seeds['fp_features'][-1].shape == (2, 256, groups) and torch.isfinite(seeds['fp_features'][-1]).all()
    )
