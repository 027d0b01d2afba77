"""Multi-head self-attention against a loop over heads with an explicit softmax."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from point_peft.backbones.layers import Attention


def attend_slowly(layer: Attention, x: Tensor, allowed: Tensor | None = None) -> Tensor:
    """One sample and one head at a time, scores divided by the root of the head's width."""
    width = x.shape[-1] // layer.num_heads
    q, k, v = (x @ layer.qkv.weight.T).chunk(3, dim=-1)
    if layer.qkv.bias is not None:
        q, k, v = (x @ layer.qkv.weight.T + layer.qkv.bias).chunk(3, dim=-1)
    out = torch.zeros_like(x)
    for sample in range(len(x)):
        for head in range(layer.num_heads):
            part = slice(head * width, (head + 1) * width)
            scores = q[sample, :, part] @ k[sample, :, part].T / width**0.5
            if allowed is not None:
                scores = scores.masked_fill(~allowed, float('-inf'))
            out[sample, :, part] = scores.exp() / scores.exp().sum(-1, keepdim=True) @ v[sample, :, part]
    return out @ layer.proj.weight.T + layer.proj.bias


@pytest.mark.parametrize('qkv_bias', [False, True])
def test_against_loop(qkv_bias: bool) -> None:
    """Same numbers in float64."""
    torch.manual_seed(0)
    layer = Attention(12, num_heads=3, qkv_bias=qkv_bias).double()
    x = torch.randn(2, 7, 12, dtype=torch.float64)
    torch.testing.assert_close(layer(x), attend_slowly(layer, x), atol=1e-12, rtol=0)


def test_by_hand() -> None:
    """Width 1, one head, identity projections: tokens 0 and ln 3 have scores 0 and (ln 3)^2 for the second."""
    layer = Attention(1, num_heads=1)
    with torch.no_grad():
        layer.qkv.weight.copy_(torch.ones(3, 1))
        layer.proj.weight.fill_(1)
        layer.proj.bias.fill_(10)
    one = 3.0
    out = layer(torch.tensor([[[0.0], [one]]]))
    weight = torch.tensor(one * one).sigmoid() * one
    torch.testing.assert_close(out[0, :, 0], torch.tensor([10 + one / 2, 10 + weight]))


@pytest.mark.parametrize('kind', ['bool', 'float'])
def test_mask(kind: str) -> None:
    """True, or 0, is where attention is allowed."""
    torch.manual_seed(0)
    layer = Attention(8, num_heads=2).double()
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    allowed = torch.rand(5, 5) > 0.5
    allowed.fill_diagonal_(True)
    mask = allowed if kind == 'bool' else torch.zeros(5, 5).double().masked_fill(~allowed, float('-inf'))
    torch.testing.assert_close(layer(x, mask), attend_slowly(layer, x, allowed), atol=1e-12, rtol=0)


def test_order_of_tokens() -> None:
    """Permuting the tokens permutes the result."""
    torch.manual_seed(0)
    layer, x, order = Attention(8, num_heads=2), torch.randn(1, 6, 8), torch.randperm(6)
    torch.testing.assert_close(layer(x)[:, order], layer(x[:, order]), atol=1e-6, rtol=0)


def test_heads_must_divide() -> None:
    """The message names both numbers."""
    with pytest.raises(ValueError, match='num_heads=5 does not divide dim=12'):
        Attention(12, num_heads=5)
