"""Configs and models of detection, small enough to run in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from point_peft.engine.config import DATALOADERS, load_config
from point_peft.engine.config.check import check_config
from point_peft.engine.preflight import check_files
from point_peft.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / 'shared' / 'data'
POINTS = 2000

SMALL: dict[str, dict[str, Any]] = {
    'votenet': {'model.bbox_head.vote_aggregation_cfg.num_point': 32},
    'groupfree3d': {'model.bbox_head.num_proposal': 32, 'model.bbox_head.num_decoder_layers': 3},
    '3detr': {'model.bbox_head.num_queries': 32, 'model.bbox_head.decoder.num_layers': 2},
}
"""Changes that make the heads of the detectors small."""

DETECTORS = tuple(SMALL)


def small_config(
    method: str, detector: str, data: str, data_root: Path, *, check_data: bool = True, **changes: Any
) -> Config:
    """The config of a leaf with the mini backbone, checked as the tools do, with everything in one process."""
    options: dict[str, Any] = {
        'data_root': str(data_root),
        'model.backbone.backbone.num_groups': 64,
        'train_dataloader.batch_size': 2,
        'default_hooks.logger.interval': 1,
        **SMALL[detector],
    }
    for loader in DATALOADERS:
        options |= {f'{loader}.num_workers': 0, f'{loader}.persistent_workers': False}
    cfg = load_config(ROOT / 'configs' / method / f'pointmae_mini_{detector}_{data}.py', options | changes)
    checkpoint = cfg.model.backbone.backbone.init_cfg.checkpoint
    cfg.model.backbone.backbone.init_cfg.checkpoint = str(ROOT / checkpoint)
    for loader in DATALOADERS:
        thin(cfg[loader].dataset)
    check_config(cfg)
    if check_data:
        check_files(cfg)
    return cfg


def thin(dataset: Config) -> None:
    """Let a dataset's pipeline give few points."""
    for step in dataset.get('dataset', dataset).pipeline:
        if step.type == 'mmdet3d.PointSample':
            step.num_points = POINTS


def small_model(method: str, detector: str, data: str, directory: Path) -> nn.Module:
    """The detector of :func:`small_config` with its pre-trained backbone; the data need not be there."""
    cfg = small_config(method, detector, data, directory, check_data=False)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model
