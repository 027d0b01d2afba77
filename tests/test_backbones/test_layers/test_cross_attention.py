"""Cross-attention."""

from __future__ import annotations

import torch
from small_models import scramble
from torch import nn

from point_peft.backbones.layers import CrossAttention


def layer() -> CrossAttention:
    """Three heads of width four."""
    layer = CrossAttention(12, num_heads=3)
    scramble(layer)
    return layer


def test_against_torch() -> None:
    """With the projections in its places, torch's attention gives the same."""
    ours, theirs = layer(), nn.MultiheadAttention(12, 3, bias=False, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.q.weight, ours.kv.weight]))
        theirs.out_proj.weight.copy_(ours.proj.weight)
    x, context = torch.randn(2, 3, 12), torch.randn(2, 7, 12)
    expected = theirs(x, context, context, need_weights=False)[0] + ours.proj.bias
    torch.testing.assert_close(ours(x, context), expected)


def test_one_head_by_hand() -> None:
    """Softmax of the scaled products, one head, written out."""
    ours = CrossAttention(4, num_heads=1)
    scramble(ours)
    x, context = torch.randn(1, 2, 4), torch.randn(1, 3, 4)
    q, (k, v) = x @ ours.q.weight.T, (context @ ours.kv.weight.T).chunk(2, dim=-1)
    expected = (q @ k.mT / 2).softmax(dim=-1) @ v
    torch.testing.assert_close(ours(x, context), ours.proj(expected))


def test_order_of_the_context() -> None:
    """Does not matter; queries do not see each other."""
    ours, x, context = layer(), torch.randn(2, 3, 12), torch.randn(2, 7, 12)
    before = ours(x, context)
    torch.testing.assert_close(ours(x, context[:, torch.randperm(7)]), before)
    torch.testing.assert_close(ours(x[:, :1], context), before[:, :1])
    assert (ours(x, context[:, :6]) - before).abs().max() > 1e-3
