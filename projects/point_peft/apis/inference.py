"""Building a model from a config and a checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope

from ..engine.arguments import check_device
from ..engine.checkpoint import META_KEY, init_pretrained, load_weights, warn_other_bank
from ..engine.config import load_config, walk_dicts
from ..engine.config_check import check_config
from ..engine.hooks.memory_bank import FILE_NAME
from ..engine.memory_bank import attach_bank
from ..registry import MODELS


def init_model(
    config: str | Path | Config, checkpoint: str | Path | None = None, device: str | torch.device = 'cpu'
) -> BaseModel:
    """Build a task model for inference.

    Args:
        config (str | Path | Config): Config file, or a config.
        checkpoint (str | Path | None): A full checkpoint, or an adapter; an adapter also needs the base weights that
            the config names, and its memory bank beside it. None builds without any file: random weights (pre-trained
            ones if the config's file is there), and an empty bank, which leaves prompts un-enhanced.
        device (str | torch.device): Where to put the model.

    Returns:
        BaseModel: In eval mode; ``model(dict(points=x), mode='tensor')`` with x (B, N, 3) returns raw logits.

    Raises:
        PointPEFTError: If a file is missing, unsafe or does not fit, or the config has a typo.

    Examples:
        >>> import torch
        >>> model = init_model('configs/point_peft/pointmae_mini_shapes.py')
        >>> model(dict(points=torch.rand(2, 1024, 3)), mode='tensor').shape
        torch.Size([2, 16])
    """
    device = check_device(str(device))
    cfg = config if isinstance(config, Config) else load_config(config)
    init_default_scope(cfg.get('default_scope', 'point_peft'))
    check_config(cfg)
    model = MODELS.build({'data_preprocessor': cfg.get('data_preprocessor'), **cfg.model})
    if checkpoint is None:
        _start_without_checkpoint(model, cfg)
    else:
        report = load_weights(model, checkpoint)
        _find_bank(model, cfg, Path(checkpoint), report.meta)
    return model.to(device).eval()


def _find_bank(model: BaseModel, cfg: Config, checkpoint: Path, meta: Mapping[str, Any]) -> None:
    """Load the memory bank of an adapter: the config's file, or the one beside the adapter."""
    hook = (cfg.get('default_hooks') or {}).get('memory_bank') or {}
    candidates = [file for file in (hook.get('file'), checkpoint.parent / FILE_NAME) if file]
    attach_bank(model, candidates, wanted_hash=(meta.get(META_KEY) or {}).get('bank_hash'))
    warn_other_bank(model, meta, str(checkpoint))


def _start_without_checkpoint(model: BaseModel, cfg: Config) -> None:
    """Use the pre-trained backbone if its file is there, and say in one warning what is missing."""
    named = [node.get('init_cfg') for _, node in walk_dicts(cfg.model) if node.get('init_cfg')]
    path = next((init.get('checkpoint') for init in named if init.get('type') == 'Pretrained'), None)
    found = path is not None and Path(path).is_file()
    if found:
        init_pretrained(model)
    state = f'the backbone is pre-trained ({path}), all else random' if found else 'all weights are random'
    for module in model.modules():
        if hasattr(module, 'warned_empty'):
            module.warned_empty = True
            state += ', and the memory bank is empty, so prompts are not enhanced'
    print_log(f'model built without a checkpoint: {state}.', logger='current', level=logging.WARNING)
