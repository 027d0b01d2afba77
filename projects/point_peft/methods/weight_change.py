"""What a tuning method does, as a change of the weights of one layer, and such changes put into the layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..io.errors import InvalidValueError


@dataclass(frozen=True)
class WeightChange:
    """A linear layer or layer norm with input x and output y that gives ``scale * y + update @ x + shift`` instead.

    Attributes:
        layer (nn.Module): The layer; in a layer norm, only its affine part is changed.
        scale (Tensor | None): (out,); None for ones.
        update (Tensor | None): (out, in), for linear layers only; None for zeros.
        shift (Tensor | None): (out,); None for zeros.
    """

    layer: nn.Module
    scale: Tensor | None = None
    update: Tensor | None = None
    shift: Tensor | None = None


@dataclass
class Affine:
    """New weight, and bias if there is one, of a layer."""

    weight: Tensor
    bias: Tensor | None


@torch.no_grad()
def changed_weights(changes: Iterable[WeightChange]) -> dict[nn.Module, Affine]:
    """The weights with which the layers do what the changes say, one after another; nothing is changed yet.

    Computed in float64, so that only the result is rounded, to the layer's own precision.

    Raises:
        ValueError: If a layer is neither a linear layer nor a layer norm with weights.
    """
    found: dict[nn.Module, Affine] = {}
    for change in changes:
        layer = change.layer
        if not (isinstance(layer, (nn.Linear, nn.LayerNorm)) and layer.weight is not None):
            raise InvalidValueError(
                f'a {type(layer).__name__} has no weight that a tuning method could be folded into.'
            )
        new = found.setdefault(
            layer, Affine(layer.weight.double(), None if layer.bias is None else layer.bias.double())
        )
        if change.scale is not None:
            scale = change.scale.double()
            new.weight = new.weight * scale.unflatten(0, (-1, *[1] * (new.weight.dim() - 1)))
            new.bias = None if new.bias is None else new.bias * scale
        if change.update is not None:
            new.weight = new.weight + change.update.double()
        if change.shift is not None:
            new.bias = change.shift.double() if new.bias is None else new.bias + change.shift.double()
    for layer, new in found.items():
        own = layer.get_parameter('weight')
        new.weight = new.weight.to(own.dtype)
        new.bias = None if new.bias is None else new.bias.to(own.dtype)
    return found


@torch.no_grad()
def set_weights(layer: nn.Module, new: Affine) -> None:
    """Give a layer other weights, and a bias if it needs one and has none."""
    layer.get_parameter('weight').copy_(new.weight)
    if new.bias is None:
        return
    if layer.bias is None:
        layer.bias = nn.Parameter(new.bias, requires_grad=False)
    else:
        layer.get_parameter('bias').copy_(new.bias)
