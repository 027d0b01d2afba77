"""What blocks that activation checkpointing runs again need, to be part of the graph."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import CheckpointWrapper

from ..backbones import PointBackbone
from ..structures import PointTokens


def with_graph(tokens: PointTokens, backbone: PointBackbone) -> PointTokens:
    """Tokens that ask for a gradient if a module in the blocks is recomputed in the backward.

    MMEngine's activation checkpointing is of torch's older kind (reentrant), which gives the parameters of a block
    no gradient unless its input gets one; the embedding is frozen.
    """
    features = tokens.features
    if features.requires_grad or not torch.is_grad_enabled() or not _recomputes(backbone):
        return tokens
    return replace(tokens, features=features.detach().requires_grad_())


def _recomputes(backbone: PointBackbone) -> bool:
    """Whether activation checkpointing is on for a module in the blocks: MMEngine's, or that of torch's wrapper."""
    modules = (module for block in backbone.layers for module in block.modules())
    return any('forward' in vars(module) or isinstance(module, CheckpointWrapper) for module in modules)


def without_gradient(_: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """Hook before a block: nothing goes below it in the backward, so nothing is computed there."""
    x: Tensor = args[0]
    cut = x.detach()
    if x.requires_grad and not torch.compiler.is_compiling():
        cut.requires_grad_()  # for a block that is recomputed, as above
    return (cut, *args[1:]), kwargs
