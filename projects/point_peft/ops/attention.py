"""Scaled dot-product attention among tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from . import attention_kernels
from .backends import attention_kernels_for, c_is_usable
from .checks import at_least_float32
from .compiling import differentiable_gradients, is_compiling, is_differentiated, opaque
from .plain_products import is_plain_product

LONGEST_PLAIN = 256
"""Sequences up to this length are attended to with plain products on a CPU."""


def attend(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention.

    Spelled out for short sequences on a CPU, where the fused kernel is slower (8 clouds of 139 tokens, 6 heads, two
    threads, forward and backward: 9.4 ms against 7.2 ms). Like the kernel it adds up in float32 at least, also
    under autocast.

    Args:
        q (Tensor): (..., L, d) queries.
        k (Tensor): (..., L, d) keys.
        v (Tensor): (..., L, d) values.
        attn_mask (Tensor | None): Broadcastable to (..., L, L); True, or 0 of the values to add, where attention is
            allowed.

    Returns:
        Tensor: (..., L, d).
    """
    if q.device.type != 'cpu' or q.shape[-2] > LONGEST_PLAIN:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask)
    dtype = v.dtype
    with torch.autocast('cpu', enabled=False):
        q, k, v = at_least_float32(q), at_least_float32(k), at_least_float32(v)
        scores = q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)
        if attn_mask is not None:
            allowed = attn_mask.dtype == torch.bool
            scores = scores.masked_fill(~attn_mask, float('-inf')) if allowed else scores + attn_mask
        return (scores.softmax(dim=-1) @ v).to(dtype)


def self_attention(qkv: Tensor) -> Tensor:
    """Let all tokens of a sequence attend to all of them, as :func:`attend`.

    For short sequences on a CPU a kernel in C where there is one, in float32 also under autocast: it keeps ``qkv``
    alone for the backward.

    Args:
        qkv (Tensor): (B, L, 3, H, d) queries, keys and values of H heads.

    Returns:
        Tensor: (B, L, H, d), dtype of ``qkv``.
    """
    if qkv.device.type != 'cpu':
        return _attend_plainly(qkv)
    with torch.autocast('cpu', enabled=False):
        return _self_attend(at_least_float32(qkv)).to(qkv.dtype)


def _self_attend(qkv: Tensor) -> Tensor:
    fits = is_plain_product(qkv) and attention_kernels.can_attend(qkv)
    if not fits or not (c_is_usable() if is_compiling() else attention_kernels_for(qkv)):
        return _attend_plainly(qkv)
    if torch.is_grad_enabled() and qkv.requires_grad:
        result: Tensor = _SelfAttention.apply(qkv)
        return result
    return _self_attend_on_cpu(qkv)


class _SelfAttention(torch.autograd.Function):
    """The attention by our kernels, which attends again in the backward."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor) -> Tensor:
        """Attend."""
        ctx.save_for_backward(qkv)
        return _self_attend_on_cpu(qkv)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Send the gradient (B, L, H, d) to queries, keys and values."""
        (qkv,) = ctx.saved_tensors
        if not is_differentiated():
            return _self_attention_gradient_on_cpu(gradient, qkv)
        (sent,) = differentiable_gradients(_attend_plainly, [qkv], gradient, [True])
        assert sent is not None
        return sent


@opaque(
    '(Tensor qkv) -> Tensor',
    lambda qkv: qkv.new_empty(qkv.shape[0], qkv.shape[1], qkv.shape[3], qkv.shape[4]),
)
def _self_attend_on_cpu(qkv: Tensor) -> Tensor:
    kernels = attention_kernels_for(qkv)
    return kernels.attention(qkv) if kernels else _attend_plainly(qkv).contiguous()


@opaque('(Tensor gradient, Tensor qkv) -> Tensor', lambda _, qkv: qkv.new_empty(qkv.shape))
def _self_attention_gradient_on_cpu(gradient: Tensor, qkv: Tensor) -> Tensor:
    kernels = attention_kernels_for(qkv)
    if kernels:
        return kernels.attention_gradient(gradient, qkv)
    return _attention_gradient_plainly(gradient, qkv)


def _attend_plainly(qkv: Tensor) -> Tensor:
    q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, H, L, d)
    return attend(q, k, v).transpose(1, 2)


def _attention_gradient_plainly(gradient: Tensor, qkv: Tensor) -> Tensor:
    q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, H, L, d)
    gradient, scale = gradient.transpose(1, 2), q.shape[-1] ** -0.5
    weights = (q * scale @ k.transpose(-1, -2)).softmax(dim=-1)
    of_weights = gradient @ v.transpose(-1, -2)
    of_scores = torch.ops.aten._softmax_backward_data(of_weights, weights, -1, weights.dtype)
    parts = (of_scores @ k * scale, of_scores.mT @ (q * scale), weights.mT @ gradient)
    return torch.stack(parts).permute(1, 3, 0, 2, 4).contiguous()
