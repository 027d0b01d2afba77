"""Linear layers by the library that multiplies fastest on the processor at hand."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .c_library import is_watched
from .compiling import HAS_CUSTOM_OPERATORS, is_compiling, is_differentiated
from .plain_products import is_plain_product

LEAST_PRODUCTS = 2**22
"""Multiplications from which on oneDNN is worth its start."""


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``F.linear(x, weight, bias)``; large products of float32 by oneDNN on processors of AMD with AVX-512.

    torch multiplies float32 by MKL, which uses AVX-512 on the processors of its maker alone; oneDNN, which torch has
    for convolutions, uses it on all: 1032 x 384 x 1152 is a tenth faster. It is not for gradients of weights, whose
    operands it would have to transpose.

    Args:
        x (Tensor): ``(..., C)``.
        weight (Tensor): ``(O, C)``.
        bias (Tensor | None): ``(O,)``.

    Returns:
        Tensor: ``(..., O)``.
    """
    operands = (x, weight) if bias is None else (x, weight, bias)
    if is_compiling() or not is_plain_product(*operands):  # compilers choose their libraries themselves
        return F.linear(x, weight, bias)
    if not _fits(x, weight, bias) or not is_for_onednn(x, weight):
        return F.linear(x, weight, bias)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in operands):
        result: Tensor = _Linear.apply(x, weight, bias)
        return result
    return _by_onednn(x, weight, bias)


class _Linear(torch.autograd.Function):
    """The layer, which keeps what its gradients need: nothing of the tokens for a frozen weight."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Multiply."""
        of_x, of_weight, _ = ctx.needs_input_grad
        ctx.save_for_backward(x if of_weight else None, weight if of_x else None)
        return _by_onednn(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Send the gradient (..., O) to those that need one."""
        x, weight = ctx.saved_tensors
        rows = gradient.flatten(0, -2)
        of_x = of_weight = None
        if weight is not None:
            for_torch = is_differentiated() or not is_for_onednn(gradient, weight.T)
            of_x = gradient @ weight if for_torch else _by_onednn(gradient, weight.T, None)
        if x is not None:
            of_weight = rows.T @ x.flatten(0, -2)
        return of_x, of_weight, rows.sum(0) if ctx.needs_input_grad[2] else None


def is_for_onednn(x: Tensor, weight: Tensor) -> bool:
    """Whether the product is large, and no counter of FLOPs wants to see it as torch's."""
    large = x.numel() * weight.shape[0] >= LEAST_PRODUCTS and torch._C._get_mkldnn_enabled()
    return large and not is_watched() and onednn_is_faster()


def _by_onednn(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if not weight.is_contiguous() and not weight.T.is_contiguous():
        weight = weight.contiguous()  # for other strides oneDNN has but a reference form, which takes minutes
    found = torch.ops.mkldnn._linear_pointwise(x.flatten(0, -2).contiguous(), weight, bias, 'none', [], '')
    # As F.linear does: of what autograd takes for a view, the gradient of an operation in place is copied.
    result: Tensor = torch.ops.aten._unsafe_view(found, [*x.shape[:-1], weight.shape[0]])
    return result


def _fits(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether shapes are those of a linear layer; what is not is for torch to refuse."""
    fits = x.dim() > 1 and weight.dim() == 2 and x.shape[-1] == weight.shape[1]
    return fits and min(weight.shape) > 1 and (bias is None or bias.shape == weight.shape[:1])


@functools.cache
def onednn_is_faster() -> bool:
    """Whether this torch has MKL and oneDNN, and the processor is AMD's with AVX-512."""
    has_both = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()
    if not has_both or not HAS_CUSTOM_OPERATORS or not hasattr(torch.ops.mkldnn, '_linear_pointwise'):
        return False
    return torch.backends.cpu.get_cpu_capability() == 'AVX512' and _is_amd()


def _is_amd() -> bool:
    try:
        return 'AuthenticAMD' in Path('/proc/cpuinfo').read_text()
    except OSError:  # not Linux
        return False
