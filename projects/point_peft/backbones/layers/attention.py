"""Multi-head self-attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...io.errors import InvalidValueError
from ...ops.checks import at_least_float32
from .linear import Linear


class Attention(nn.Module):
    """Multi-head self-attention with one fused projection, as in ViT and Point-MAE.

    Args:
        dim (int): Token dimension C.
        num_heads (int): Number of heads; must divide ``dim``.
        qkv_bias (bool): Whether the fused projection has a bias. Point-MAE: no.
    """

    def __init__(self, dim: int, *, num_heads: int = 6, qkv_bias: bool = False) -> None:
        super().__init__()
        if dim % num_heads:
            raise InvalidValueError(f'num_heads={num_heads} does not divide dim={dim}; choose a divisor.')
        self.num_heads = num_heads
        self.qkv = Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = Linear(dim, dim)

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        """Attend over all tokens.

        Args:
            x (Tensor): (B, L, C) tokens.
            attn_mask (Tensor | None): Broadcastable to (B, heads, L, L); True or 0 where attention is allowed.

        Returns:
            Tensor: (B, L, C).
        """
        batch, length, dim = x.shape
        q, k, v = (
            self.qkv(x).view(batch, length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        )  # (B, heads, L, d)
        x = attend(q, k, v, attn_mask)
        return self.proj(x.transpose(1, 2).reshape(batch, length, dim))


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
