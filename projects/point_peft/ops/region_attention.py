"""Self-attention among the tokens of each region, which keeps none of the regions for the backward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .backends import region_kernels_for
from .checks import at_least_float32
from .compiling import is_differentiated, is_exporting, opaque


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
    in_one = table.device.type == 'cpu' and not is_exporting()
    return (_attend_on_cpu if in_one else _attend_plainly)(table, rows, num_heads)


def _attention_gradient(gradient: Tensor, table: Tensor, rows: Tensor, num_heads: int) -> Tensor:
    """What the table (M, 3*A) gets of the gradient (R, K, A)."""
    in_one = table.device.type == 'cpu' and not is_differentiated()
    send = _attention_gradient_on_cpu if in_one else _attention_gradient_plainly
    return send(gradient, table, rows, num_heads)


@opaque(
    '(Tensor table, Tensor rows, int num_heads) -> Tensor',
    lambda table, rows, _: table.new_empty(*rows.shape, table.shape[1] // 3),
)
def _attend_on_cpu(table: Tensor, rows: Tensor, num_heads: int) -> Tensor:
    kernels = region_kernels_for(table)
    if kernels and kernels.can_attend(table, rows, num_heads):
        return kernels.attention(table, rows, num_heads)
    return _attend_plainly(table, rows, num_heads)


@opaque(
    '(Tensor gradient, Tensor table, Tensor rows, int num_heads) -> Tensor',
    lambda _, table, *__: table.new_empty(table.shape),
)
def _attention_gradient_on_cpu(gradient: Tensor, table: Tensor, rows: Tensor, num_heads: int) -> Tensor:
    kernels = region_kernels_for(table)
    if kernels and kernels.can_attend(table, rows, num_heads):
        return kernels.attention_gradient(gradient, table, rows, num_heads)
    return _attention_gradient_plainly(gradient, table, rows, num_heads)


def _attend_plainly(table: Tensor, rows: Tensor, num_heads: int) -> Tensor:
    query, key, value = _heads(table.index_select(0, rows.flatten()), rows.shape[1], 3, num_heads)
    return _joined(value @ _probabilities(query, key), num_heads).contiguous()


def _attention_gradient_plainly(gradient: Tensor, table: Tensor, rows: Tensor, num_heads: int) -> Tensor:
    query, key, value = _heads(table.index_select(0, rows.flatten()), rows.shape[1], 3, num_heads)
    (gradient,) = _heads(gradient.flatten(0, 1), rows.shape[1], 1, num_heads)
    weights = _probabilities(query, key)
    of_weights = value.transpose(1, 2) @ gradient
    of_scores = torch.ops.aten._softmax_backward_data(of_weights, weights, 1, weights.dtype)
    scale = query.shape[1] ** -0.5
    parts = (
        key * scale @ of_scores,
        query * scale @ of_scores.transpose(1, 2),
        gradient @ weights.transpose(1, 2),
    )
    near = torch.cat([_joined(part, num_heads) for part in parts], dim=2)  # (R, K, 3*A)
    return torch.zeros_like(table).index_add_(0, rows.flatten(), near.flatten(0, 1))


def _probabilities(query: Tensor, key: Tensor) -> Tensor:
    """Attention (R*heads, keys, queries), which sums to 1 over the keys, of queries and keys (R*heads, d, K).

    Tokens stand last, as heads of three numbers would leave most of a processor's lanes empty in every product.
    """
    return (key * key.shape[1] ** -0.5).transpose(1, 2).matmul(query).softmax(dim=1)


def _heads(near: Tensor, size: int, count: int, num_heads: int) -> Tensor:
    """Rows (R*K, count*A) of regions of ``size`` K as ``count`` times (R*heads, d, K)."""
    split = near.view(-1, size, count, num_heads, near.shape[1] // count // num_heads)
    return split.permute(2, 0, 3, 4, 1).reshape(count, -1, split.shape[4], size)


def _joined(heads: Tensor, num_heads: int) -> Tensor:
    """Heads (R*heads, d, K) side by side, (R, K, A), not contiguous."""
    return heads.unflatten(0, (-1, num_heads)).flatten(1, 2).transpose(1, 2)
