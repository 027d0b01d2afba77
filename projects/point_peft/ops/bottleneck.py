"""Narrow bottlenecks beside their residual."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from . import bottleneck_kernels
from .backends import bottleneck_kernels_for, c_is_usable
from .compiling import differentiable_gradients, is_compiling, is_differentiated, opaque
from .plain_products import is_plain_product

QUICK_GELU_SLOPE = 1.702
"""Slope of the sigmoid in x * sigmoid(1.702 x), the activation of the Point-PEFT release (``QuickGELU``)."""


def quick_gelu(x: Tensor) -> Tensor:
    """``x * sigmoid(1.702 x)``, elementwise."""
    # As silu, which keeps one tensor for the backward and not two.
    return F.silu(QUICK_GELU_SLOPE * x) / QUICK_GELU_SLOPE


def add_bottleneck(
    x: Tensor,
    down: Tensor,
    down_bias: Tensor,
    up: Tensor,
    up_bias: Tensor,
    *,
    dropout: float = 0.0,
    scale: float = 1.0,
) -> Tensor:
    """``x + scale * F.linear(F.dropout(quick_gelu(F.linear(x, down, down_bias)), dropout), up, up_bias)``.

    Up to 16 channels inside are for kernels in C where there are such: one pass over the tokens each way, which keeps
    x and what is activated for the backward.

    Args:
        x (Tensor): ``(..., C)``.
        down (Tensor): ``(R, C)`` weight.
        down_bias (Tensor): ``(R,)``.
        up (Tensor): ``(C, R)`` weight.
        up_bias (Tensor): ``(C,)``.
        dropout (float): Rate of the dropout inside; the same random numbers with and without kernels.
        scale (float): Weight of what is added.

    Returns:
        Tensor: ``(..., C)``.
    """
    weights = (down, down_bias, up, up_bias)
    if not _fits(x, *weights) or not (c_is_usable() if is_compiling() else bottleneck_kernels_for(x)):
        inside = quick_gelu(F.linear(x, down, down_bias))
        inside = F.dropout(inside, dropout) if dropout else inside
        return torch.add(x, F.linear(inside, up, up_bias), alpha=scale)
    rows = x.flatten(0, -2)
    kept = F.dropout(rows.new_ones(rows.shape[0], down.shape[0]), dropout) if dropout else None
    given = rows, down, down_bias, up, up_bias, kept, scale
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *weights)):
        found: Tensor = _AddBottleneck.apply(*given)
    else:
        found, _ = _add_on_cpu(*given)
    return found.unflatten(0, x.shape[:-1])


def _fits(x: Tensor, down: Tensor, down_bias: Tensor, up: Tensor, up_bias: Tensor) -> bool:
    """Whether this is for the kernels; what has wrong shapes is for torch to refuse."""
    operands = (x, down, down_bias, up, up_bias)
    if not is_plain_product(*operands) or x.dim() < 2 or not x.numel() or down.dim() != 2:
        return False
    width, channels = down.shape
    fits = x.shape[-1] == channels and up.shape == (channels, width) and up_bias.shape == (channels,)
    fits = fits and down_bias.shape == (width,)
    return fits and bottleneck_kernels.can_bottleneck(channels, width)


class _AddBottleneck(torch.autograd.Function):
    """The sum on flat tokens (M, C) by our kernels."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        down: Tensor,
        down_bias: Tensor,
        up: Tensor,
        up_bias: Tensor,
        kept: Tensor | None,
        scale: float,
    ) -> Tensor:
        """Add."""
        found, before = _add_on_cpu(x, down, down_bias, up, up_bias, kept, scale)
        ctx.save_for_backward(x, down, down_bias, up, up_bias, kept, before)
        ctx.scale = scale
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Send the gradient (M, C) to x, weights and biases."""
        x, down, down_bias, up, up_bias, kept, before = ctx.saved_tensors
        if not is_differentiated():
            sent = _add_gradients_on_cpu(gradient, x, down, up, kept, before, ctx.scale)
            return (*sent, None, None)
        slopes = differentiable_gradients(
            lambda x, down, down_bias, up, up_bias: _add_activated(
                x, F.linear(x, down, down_bias), up, up_bias, kept, ctx.scale
            ),
            (x, down, down_bias, up, up_bias),
            gradient,
            ctx.needs_input_grad[:5],
        )
        return (*slopes, None, None)


@opaque(
    '(Tensor x, Tensor down, Tensor down_bias, Tensor up, Tensor up_bias, Tensor? kept, float scale) -> '
    '(Tensor, Tensor)',
    lambda x, *_: (x.new_empty(x.shape), x.new_empty(x.shape[0], bottleneck_kernels.WIDTH)),
)
def _add_on_cpu(
    x: Tensor,
    down: Tensor,
    down_bias: Tensor,
    up: Tensor,
    up_bias: Tensor,
    kept: Tensor | None,
    scale: float,
) -> tuple[Tensor, Tensor]:
    kernels = bottleneck_kernels_for(x)
    if kernels:
        return kernels.bottleneck(x, down, down_bias, up, up_bias, kept, scale)
    before = F.linear(x, down, down_bias)
    found = _add_activated(x, before, up, up_bias, kept, scale)
    return found, F.pad(before, (0, bottleneck_kernels.WIDTH - len(down)))


@opaque(
    '(Tensor gradient, Tensor x, Tensor down, Tensor up, Tensor? kept, Tensor before, float scale) -> '
    '(Tensor, Tensor, Tensor, Tensor, Tensor)',
    lambda _, x, down, up, *__: (
        *(tensor.new_empty(tensor.shape) for tensor in (x, down)),
        down.new_empty(down.shape[0]),
        up.new_empty(up.shape),
        up.new_empty(up.shape[0]),
    ),
)
def _add_gradients_on_cpu(
    gradient: Tensor, x: Tensor, down: Tensor, up: Tensor, kept: Tensor | None, before: Tensor, scale: float
) -> tuple[Tensor, ...]:
    kernels = bottleneck_kernels_for(x)
    if kernels:
        return kernels.bottleneck_gradients(gradient, x, down, up, kept, before, scale)
    return _gradients_plainly(gradient, x, down, up, kept, before[:, : len(down)], scale)


def _add_activated(
    x: Tensor, before: Tensor, up: Tensor, up_bias: Tensor, kept: Tensor | None, scale: float
) -> Tensor:
    inside = quick_gelu(before) if kept is None else quick_gelu(before) * kept
    return torch.add(x, F.linear(inside, up, up_bias), alpha=scale)


def _gradients_plainly(
    gradient: Tensor, x: Tensor, down: Tensor, up: Tensor, kept: Tensor | None, before: Tensor, scale: float
) -> tuple[Tensor, ...]:
    share = torch.sigmoid(QUICK_GELU_SLOPE * before)
    value, slope = before * share, share * (1 + QUICK_GELU_SLOPE * before * (1 - share))
    if kept is not None:
        value, slope = value * kept, slope * kept
    outer = scale * gradient
    inner = outer @ up * slope
    return (
        torch.addmm(gradient, inner, down),
        inner.T @ x,
        inner.sum(0),
        outer.T @ value,
        outer.sum(0),
    )
