"""A linear layer behind a layer norm, without keeping what is between them."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .compiling import differentiable_gradients, is_compiling, is_differentiated
from .linear import linear
from .plain_products import is_plain_product


def normed_linear(x: Tensor, norm_weight: Tensor, norm_bias: Tensor, eps: float, weight: Tensor) -> Tensor:
    """``F.linear(F.layer_norm(x, (C,), norm_weight, norm_bias, eps), weight)``, which keeps x alone on a CPU.

    The backward norms x again, a hundredth of what the layer computes, where plain autograd keeps its output, too.

    Args:
        x (Tensor): ``(..., C)``.
        norm_weight (Tensor): ``(C,)``.
        norm_bias (Tensor): ``(C,)``.
        eps (float): What the norm adds to variances.
        weight (Tensor): ``(O, C)``.

    Returns:
        Tensor: ``(..., O)``.
    """
    operands = (x, norm_weight, norm_bias, weight)
    is_recorded = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in operands)
    if is_recorded and not is_compiling() and is_plain_product(*operands):
        result: Tensor = _NormedLinear.apply(x, norm_weight, norm_bias, eps, weight)
        return result
    return _plainly(*operands, eps=eps)


class _NormedLinear(torch.autograd.Function):
    """The layer, which keeps its input and the statistics of the norm."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, norm_weight: Tensor, norm_bias: Tensor, eps: float, weight: Tensor
    ) -> Tensor:
        """Norm and multiply."""
        normed, mean, rstd = torch.native_layer_norm(x, x.shape[-1:], norm_weight, norm_bias, eps)
        ctx.save_for_backward(x, norm_weight, norm_bias, weight, mean, rstd)
        ctx.eps = eps
        return linear(normed, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Send the gradient (..., O) to x, the norm and the weight."""
        x, norm_weight, norm_bias, weight, mean, rstd = ctx.saved_tensors
        wanted = [ctx.needs_input_grad[place] for place in (0, 1, 2, 4)]
        if is_differentiated():
            inputs = x, norm_weight, norm_bias, weight
            *of_norm, of_weight = differentiable_gradients(
                functools.partial(_plainly, eps=ctx.eps), inputs, gradient, wanted
            )
            return (*of_norm, None, of_weight)
        shape, of_weight = x.shape[-1:], None
        if wanted[3]:
            normed, *_ = torch.native_layer_norm(x, shape, norm_weight, norm_bias, ctx.eps)
            of_weight = gradient.flatten(0, -2).T @ normed.flatten(0, -2)
        of_normed = linear(gradient, weight.T)
        of_norm = torch.ops.aten.native_layer_norm_backward(
            of_normed, x, shape, mean, rstd, norm_weight, norm_bias, wanted[:3]
        )
        return (*of_norm, None, of_weight)


def _plainly(x: Tensor, norm_weight: Tensor, norm_bias: Tensor, weight: Tensor, *, eps: float) -> Tensor:
    return linear(F.layer_norm(x, x.shape[-1:], norm_weight, norm_bias, eps), weight)
