"""Compiling what a task model computes in training."""

from __future__ import annotations

from mmengine.config import Config
from torch import nn

from ...models.base import TunedModel
from ...registry.wrappers import unwrap


def compile_training(model: nn.Module, cfg: Config) -> bool:
    """Let a task model compile its logits in training as ``compile`` of the config says; whether it does.

    Args:
        model (nn.Module): Any model; of others than :class:`TunedModel` nothing is compiled.
        cfg (Config): ``compile`` is missing, a bool, or arguments of ``torch.compile``.
    """
    model, settings = unwrap(model), cfg.get('compile')
    if settings in (None, False) or not isinstance(model, TunedModel):
        return False
    model.compile_training(**({} if settings is True else settings))
    return True
