"""Finding a module in a model, wrapped for several processes or not."""

from __future__ import annotations

from typing import Any, cast

from mmengine.model import is_model_wrapper
from torch import nn


def unwrap(model: nn.Module) -> nn.Module:
    """The model inside a wrapper for several processes."""
    return cast(nn.Module, model.module) if is_model_wrapper(model) else model


def outermost_with(model: nn.Module, method: str) -> list[tuple[str, Any]]:
    """The outermost modules with a method, and what their names put before those of their tensors.

    That is the model itself if it has the method; a detector of mmdet3d does not, but the encoder in it does.
    """
    if hasattr(model, method):
        return [('', model)]
    return [
        (f'{child}.{prefix}', found)
        for child, module in model.named_children()
        for prefix, found in outermost_with(module, method)
    ]
