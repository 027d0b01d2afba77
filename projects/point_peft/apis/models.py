"""Models by name."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModel

from ..engine.config import walk_dicts
from ..engine.config.names import combinations, config_folders
from ..engine.config.parts import supported
from ..io.errors import ConfigError
from .inference import get_config, init_model

WILD = '*?['


def list_models(pattern: str | None = None) -> list[str]:
    """Names of all configs: every METHOD/BACKBONE_TASK whose parts work together, and the files beside them.

    Args:
        pattern (str | None): Only names that contain this text or, if it has one of ``*?[``, match it as a whole.

    Returns:
        list[str]: Names for :func:`get_model`, :func:`get_config`, :func:`train` and the tools, in alphabetical order.

    Examples:
        >>> list_models('lora/pointmae_mini_sh*')
        ['lora/pointmae_mini_shapes', 'lora/pointmae_mini_shapes_part']
    """
    pattern = '*' if pattern is None else pattern if set(pattern) & set(WILD) else f'*{pattern}*'
    composed = [one for one in combinations() if fnmatchcase(str(one), pattern)]
    files = [_name(path, folder) for folder in config_folders() for path in folder.rglob('*.py')]
    written = [name for name in files if not name.startswith('_base_') and fnmatchcase(name, pattern)]
    return sorted({*map(str, supported(composed)), *written})


def get_model(
    name: str | Path,
    pretrained: bool | str | Path = True,
    *,
    device: str | torch.device = 'cpu',
    **options: Any,
) -> BaseModel:
    """The model of a config, by its name.

    Args:
        name (str | Path): Name METHOD/BACKBONE_TASK (see :func:`list_models`), or config file.
        pretrained (bool | str | Path): True for the pre-trained backbone that the config names, with a random head;
            the weights of the mini Point-MAE are shipped, for others see docs/model_zoo.md. False for random weights. A
            checkpoint or adapter for the whole model.
        device (str | torch.device): Where to put it.
        **options: Changes to the config, such as ``num_classes=4``.

    Returns:
        BaseModel: In eval mode; ``model(dict(points=x), mode='tensor')`` with x (B, N, 3) returns raw logits.

    Raises:
        PointPEFTError: There is no such config, or its weights are not there.

    Examples:
        >>> model = get_model('lora/pointmae_mini_shapes', num_classes=7)
        >>> model.head.num_classes
        7
    """
    cfg = get_config(name, **options)
    if not isinstance(pretrained, bool):
        return init_model(cfg, pretrained, device)
    named = _pretrained_nodes(cfg)
    if not pretrained:
        for node in named:
            node['init_cfg'] = None
    elif not named:
        raise ConfigError(
            f'{name} names no pre-trained weights; give pretrained=False for random ones, or a checkpoint.'
        )
    return init_model(cfg, device=device)


def _pretrained_nodes(cfg: Config) -> list[Any]:
    """The parts of a model that start from a file of weights."""
    nodes = [node for _, node in walk_dicts(cfg.model)]
    return [node for node in nodes if (node.get('init_cfg') or {}).get('type') == 'Pretrained']


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix('').as_posix()
