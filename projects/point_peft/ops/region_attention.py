"""Self-attention among the tokens of each region, which keeps none of the regions for the backward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .checks import at_least_float32


def region_attention(qkv: Tensor, rows: Tensor, num_heads: int) -> Tensor:
    """Scaled dot-product attention within regions, differentiable, in float32 at least whatever autocast says.

    A token is in many regions, so tokens and rows are kept for the backward, which attends again, and not the regions'
    queries, keys, values and probabilities: at 128 tokens in 64 regions of 16 a fiftieth.

    Args:
        qkv (Tensor): ``(B, N, 3*A)`` queries, keys and values of all tokens.
        rows (Tensor): ``(B, S, K)`` int64, tokens of each region in the list of all tokens, see :func:`flat_rows`.
        num_heads (int): Heads; divides A.

    Returns:
        Tensor: ``(B, S, K, A)``, dtype of ``qkv``.
    """
    table = at_least_float32(qkv).flatten(0, 1)
    attended = _RegionAttention.apply(table, rows.flatten(0, 1), num_heads)
    return attended.to(qkv.dtype).unflatten(0, rows.shape[:2])


class _RegionAttention(torch.autograd.Function):
    """The attention on flat tensors: table (M, 3*A), rows (R, K)."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, num_heads: int) -> Tensor:
        """Attend."""
        ctx.save_for_backward(table, rows)
        ctx.num_heads = num_heads
        with torch.autocast(table.device.type, enabled=False):
            return _attend(table, rows, num_heads)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Attend again, and send the gradient through."""
        table, rows = ctx.saved_tensors
        with torch.autocast(gradient.device.type, enabled=False):
            return _attention_gradient(gradient, table, rows, ctx.num_heads), None, None


def _attend(table: Tensor, rows: Tensor, num_heads: int) -> Tensor:
    """What every token of every region finds (R, K, A)."""
    query, key, value = _heads(table.index_select(0, rows.flatten()), rows.shape[1], 3, num_heads)
    return _joined(_probabilities(query, key) @ value, num_heads)


def _attention_gradient(gradient: Tensor, table: Tensor, rows: Tensor, num_heads: int) -> Tensor:
    """What the table (M, 3*A) gets of the gradient (R, K, A)."""
    query, key, value = _heads(table.index_select(0, rows.flatten()), rows.shape[1], 3, num_heads)
    (gradient,) = _heads(gradient.flatten(0, 1), rows.shape[1], 1, num_heads)  # (R*heads, K, d)
    weights = _probabilities(query, key)
    of_weights = gradient @ value.transpose(1, 2)
    of_scores = torch.ops.aten._softmax_backward_data(of_weights, weights, -1, weights.dtype)
    scale = query.shape[2] ** -0.5
    parts = (
        of_scores @ key * scale,
        of_scores.transpose(1, 2) @ query * scale,
        weights.transpose(1, 2) @ gradient,
    )
    near = torch.cat([_joined(part, num_heads) for part in parts], dim=2)  # (R, K, 3*A)
    return torch.zeros_like(table).index_add_(0, rows.flatten(), near.flatten(0, 1))


def _probabilities(query: Tensor, key: Tensor) -> Tensor:
    """Attention (R*heads, K, K) of queries to keys (R*heads, K, d)."""
    return (query * query.shape[2] ** -0.5 @ key.transpose(1, 2)).softmax(dim=2)


def _heads(near: Tensor, size: int, count: int, num_heads: int) -> Tensor:
    """Rows (R*K, count*A) of regions of ``size`` K as ``count`` times (R*heads, K, d)."""
    split = near.view(-1, size, count, num_heads, near.shape[1] // count // num_heads)
    return split.permute(2, 0, 3, 1, 4).reshape(count, -1, size, split.shape[4])


def _joined(heads: Tensor, num_heads: int) -> Tensor:
    """Heads (R*heads, K, d) side by side, (R, K, A)."""
    return heads.unflatten(0, (-1, num_heads)).transpose(1, 2).flatten(2)
