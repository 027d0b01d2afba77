"""Building a model from a config and a checkpoint."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope

from ..engine.checkpoint import init_pretrained, load_weights
from ..engine.config import compose, load_config, walk_dicts
from ..engine.config.check import check_config
from ..engine.fitting import find_fitted
from ..engine.runtime.device import check_device
from ..io.errors import MissingFileError
from ..io.shipped import find_weights
from ..registry import MODELS
from .prediction import dataset_meta


def get_config(name: str | Path, **options: Any) -> Config:
    """Read a config.

    Args:
        name (str | Path): Name METHOD/BACKBONE_TASK, whether or not there is a file for it, or config file.
        **options: Changes of it; ``data_root`` reaches every dataset. ``**{'model.head.dropout': 0.1}`` changes one
            value.

    Returns:
        Config: Complete, as ``tools/train.py`` has it.

    Raises:
        PointPEFTError: There is no such config, or it cannot be read.

    Examples:
        >>> cfg = get_config('lora/pointmae_mini_shapes', num_classes=7)
        >>> cfg.model.head.num_classes
        7
    """
    return load_config(name, options)


def init_model(
    config: str | Path | Config,
    checkpoint: str | Path | None = None,
    device: str | torch.device = 'cpu',
    *,
    allow_random: bool = False,
) -> BaseModel:
    """Build a task model for inference.

    Args:
        config (str | Path | Config): Config file, a name such as ``lora/recon_shapenetpart``, or a config. What
            ``default_hooks.delta`` allows in it, such as another network than the checkpoint's, is allowed here too.
        checkpoint (str | Path | None): A full checkpoint, or an adapter; an adapter also needs the base weights that
            the config names, and what its methods fitted before training (a memory bank, say) beside it. None gives
            the pre-trained backbone that the config names, if any, a random head, and methods that are not fitted.
        device (str | torch.device): Where to put the model; with ``meta``, where nothing has values, no file is read.
        allow_random (bool): Without a checkpoint, start from random weights where the pre-trained file that the config
            names is missing, to look at a model rather than to use it.

    Returns:
        BaseModel: In eval mode; ``model(dict(points=x), mode='tensor')`` with x (B, N, 3) returns raw logits. Its
            ``cfg`` and ``dataset_meta`` are the config, and the names of classes and parts.

    Raises:
        PointPEFTError: If a file is missing, unsafe or does not fit, or the config has a typo.

    Examples:
        >>> import torch
        >>> model = init_model('configs/point_peft/pointmae_mini_shapes.py')
        >>> model(dict(points=torch.rand(2, 1024, 3)), mode='tensor').shape
        torch.Size([2, 16])
    """
    device = check_device(str(device))
    cfg = compose(config) if isinstance(config, Config) else load_config(config)
    init_default_scope(cfg.get('default_scope', 'point_peft'))
    check_config(cfg)
    model = MODELS.build({'data_preprocessor': cfg.get('data_preprocessor'), **cfg.model})
    noted: Mapping[str, Any] = {}
    if checkpoint is None:
        _start_without_checkpoint(model, cfg, allow_random or torch.device(device).type == 'meta')
    else:
        allowed = _allowed(cfg)
        checkpoint = os.path.expanduser(checkpoint)
        report = load_weights(model, checkpoint, **allowed)
        find_fitted(
            model,
            [Path(checkpoint).parent],
            report.meta,
            checkpoint,
            named=_hook(cfg, 'fit').get('file'),
            allow_other=allowed['allow_other_state'],
        )
        noted = report.meta
    vars(model).update(cfg=cfg, dataset_meta=dataset_meta(cfg, noted))  # as mmdet3d's models have them
    return model.to(device).eval()


def _allowed(cfg: Config) -> dict[str, bool]:
    """What the config lets pass when a checkpoint is loaded."""
    delta, fit = _hook(cfg, 'delta'), _hook(cfg, 'fit')
    return dict(
        allow_other_base=bool(delta.get('allow_other_base')),
        allow_other_network=bool(delta.get('allow_other_network')),
        allow_other_state=bool(fit.get('allow_other')),
    )


def _hook(cfg: Config, name: str) -> Mapping[str, Any]:
    """The config of a hook; empty where there is none."""
    return (cfg.get('default_hooks') or {}).get(name) or {}


def _start_without_checkpoint(model: BaseModel, cfg: Config, allow_random: bool) -> None:
    """Use the pre-trained backbone, and say in one warning what is missing.

    Raises:
        MissingFileError: The config names a file for it that does not exist, and random weights are not wanted.
    """
    named = [node.get('init_cfg') for _, node in walk_dicts(cfg.model) if node.get('init_cfg')]
    paths = [init['checkpoint'] for init in named if init.get('type') == 'Pretrained']
    missing = next((path for path in paths if not find_weights(path).is_file()), None)
    if missing is not None and not allow_random:
        raise MissingFileError(
            f"pre-trained checkpoint '{missing}' does not exist, so the model would be random; see docs/model_zoo.md "
            'for where to get it, give a checkpoint of the whole model, or have it random: '
            'init_model(..., allow_random=True), get_model(..., pretrained=False).'
        )
    without_data = any(parameter.is_meta for parameter in model.parameters())
    found = bool(paths) and missing is None and not without_data
    if found:
        init_pretrained(model)
    state = (
        f'the backbone is pre-trained ({paths[0]}), all else random' if found else 'all weights are random'
    )
    for module in model.modules():
        if hasattr(module, 'warned_empty'):
            module.warned_empty = True
            state += f', and {module.unfitted_note}'
    print_log(f'model built without a checkpoint: {state}.', logger='current', level=logging.WARNING)
