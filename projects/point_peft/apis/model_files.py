"""What a model is given as: a checkpoint, or a config and a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..engine.config import load_config
from ..io.errors import ConfigError, InvalidValueError
from ..io.text import printable
from .stored_config import config_of_checkpoint

WEIGHTS = ('.pth', '.pt', '.ckpt', '.bin', '.safetensors')
"""Suffixes of checkpoints."""


def is_checkpoint(name: str | Path) -> bool:
    """Whether a path or an address is that of a checkpoint, and not of a config."""
    file = Path(name).expanduser()
    return '://' in str(name) or file.suffix.lower() in WEIGHTS or (file.is_file() and file.suffix != '.py')


def config_and_checkpoint(
    model: str | Path | Config, checkpoint: str | Path | None, options: dict[str, Any] | None
) -> tuple[Config, str]:
    """The config, and the checkpoint, of what was given.

    Raises:
        ConfigError: There is no checkpoint.
        InvalidValueError: Something else was given.
    """
    if not isinstance(model, (str, Path, Config)):
        raise InvalidValueError(
            f'a {type(model).__name__} was given as the model; give a checkpoint, a config with its checkpoint, or a '
            'model that init_model or get_model made.'
        )
    if isinstance(model, Config):
        cfg = model
        if options:
            raise InvalidValueError(
                'options go with a checkpoint or the name of a config; change the config itself.'
            )
    elif checkpoint is None and is_checkpoint(model):
        return config_of_checkpoint(model, options), str(model)
    else:
        cfg = load_config(model, options)
    if checkpoint is None:
        name = cfg.filename if isinstance(model, Config) else model
        raise ConfigError(
            f'{printable(name)} is a config, and a model of it alone would guess; give a checkpoint of a training too.'
        )
    return cfg, str(checkpoint)
