"""The configs of scene segmentation: which there are, and that their parts fit each other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from rooms import blocks

from point_peft.apis import init_model
from point_peft.engine.config import find_config, load_config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
METHODS = ('full', 'linear_probe', 'point_peft')
BACKBONES = ('pointmae', 'pointmae_mini', 'pointbert', 'act', 'recon', 'pointgpt_s', 'pointm2ae')
DATASETS = ('scannet', 's3dis')
BUILT = [(backbone, 'scannet') for backbone in BACKBONES] + [('pointmae_mini', 's3dis')]


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize(('backbone', 'dataset'), BUILT)
def test_model(
    method: str, backbone: str, dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Builds without mmdet3d and without weights; blocks are cut as in training; what is frozen is."""
    monkeypatch.chdir(tmp_path)
    path = CONFIGS / method / f'{backbone}_{dataset}_seg.py'
    cfg = load_config(path)
    with torch.device('meta'):
        model = init_model(path, device='meta')
    (sampling,) = (
        step
        for step in cfg.train_dataloader.dataset.pipeline
        if step.type == 'mmdet3d.IndoorPatchPointSample'
    )
    for name in ('num_points', 'block_size', 'use_normalized_coord'):
        assert getattr(model.sliding, name) == sampling[name]
    assert sampling.enlarge_size == 0  # blocks are scaled by their own size
    assert model.head.num_classes == len(cfg.train_dataloader.dataset.metainfo.classes) == cfg.num_classes
    assert model.head.ignore_index == sampling.ignore_index == cfg.train_dataloader.dataset.ignore_index
    assert model.head.point_channels == (9 if sampling.use_normalized_coord else 6)
    trainable = {name for name, p in model.named_parameters() if p.requires_grad}
    inside = {name for name in trainable if not name.startswith('head.')}
    assert {name for name, _ in model.head.named_parameters(prefix='head')} <= trainable
    assert bool(inside) == (method != 'linear_probe')
    if method == 'point_peft':
        share = sum(
            p.numel() for name, p in model.backbone.named_parameters() if f'backbone.{name}' in inside
        )
        assert share < (0.3 if 'mini' in backbone else 0.06) * sum(
            p.numel() for p in model.backbone.parameters()
        )


def test_promised_leaves() -> None:
    """Every backbone, method and dataset."""
    for name in (f'{m}/{b}_{d}_seg' for m in METHODS for b in BACKBONES for d in DATASETS):
        assert str(find_config(name)) == name


@pytest.mark.parametrize('dataset', DATASETS)
@pytest.mark.parametrize('method', METHODS)
def test_small_models_run(method: str, dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finite logits for blocks as the config has them, the same twice, without any file."""
    monkeypatch.chdir(tmp_path)
    path = CONFIGS / method / f'pointmae_mini_{dataset}_seg.py'
    cfg, model = load_config(path), init_model(path, allow_random=True)
    rows = list(blocks(2, cfg.num_points, columns=cfg.point_channels))
    data = model.data_preprocessor(dict(inputs=dict(points=rows), data_samples=None))
    with torch.no_grad():
        out, again = (model(data['inputs'], mode='tensor') for _ in range(2))
    assert (
        out.shape == (2, cfg.num_points, cfg.num_classes) and out.isfinite().all() and torch.equal(out, again)
    )


@pytest.mark.parametrize('dataset', DATASETS)
def test_one_change_between_methods(dataset: str) -> None:
    """Methods differ in model and peft only, so that they can be compared."""
    reference, *others = (load_config(CONFIGS / method / f'pointmae_{dataset}_seg.py') for method in METHODS)
    for cfg in others:
        for section in (
            'optim_wrapper',
            'param_scheduler',
            'train_cfg',
            'train_dataloader',
            'val_dataloader',
        ):
            assert cfg[section] == reference[section]
        assert cfg.model.backbone == reference.model.backbone
