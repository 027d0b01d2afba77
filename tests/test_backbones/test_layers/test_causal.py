"""The causal transformer's parts."""

from __future__ import annotations

import math

import pytest
import torch
from small_models import scramble
from torch import nn
from torch.nn import functional as F

from point_peft.backbones.layers import CausalBlock, CausalStack, causal_mask, sine_position


def test_formula() -> None:
    """Norm, then attention with a residual from the normed tokens, then the feed-forward network."""
    block = CausalBlock(8, num_heads=2)
    scramble(block)
    x = torch.randn(2, 5, 8)
    normed = F.layer_norm(x, (8,), block.norm1.weight, block.norm1.bias)
    first = normed + block.attn(normed)
    hidden = F.layer_norm(first, (8,), block.norm2.weight, block.norm2.bias)
    torch.testing.assert_close(block(x), first + block.mlp(hidden))
    assert block.mlp.fc1.out_features == 32 and block.attn.qkv.bias is not None


def test_against_torch() -> None:
    """The attention is torch's, whose names the published files have."""
    block, theirs = CausalBlock(8, num_heads=2), nn.MultiheadAttention(8, 2, batch_first=True)
    scramble(block)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(block.attn.qkv.weight)
        theirs.in_proj_bias.copy_(block.attn.qkv.bias)
        theirs.out_proj.weight.copy_(block.attn.proj.weight)
        theirs.out_proj.bias.copy_(block.attn.proj.bias)
    x, mask = torch.randn(2, 5, 8), causal_mask(5, torch.device('cpu'))
    expected = theirs(x, x, x, attn_mask=~mask, need_weights=False)[0]  # there, True hides
    torch.testing.assert_close(block.attn(x, mask), expected)


def test_causal_mask_by_hand() -> None:
    """Itself and those before it."""
    mask = causal_mask(3, torch.device('cpu'))
    assert mask.tolist() == [[True, False, False], [True, True, False], [True, True, True]]


def test_sine_position_by_hand() -> None:
    """Sine and cosine of 2 pi x for x = 1/4, 1/2, 0: a third of the width per axis, the pair over and over."""
    pos = sine_position(torch.tensor([[[0.25, 0.5, 0.0]]]), 12)
    expected = [1, 0, 1, 0, 0, -1, 0, -1, 0, 1, 0, 1]
    torch.testing.assert_close(pos, torch.tensor([[expected]], dtype=torch.float32), atol=1e-6, rtol=0)


@pytest.mark.parametrize(('dim', 'filled'), [(48, 48), (50, 48), (384, 384), (1024, 1020)])
def test_sine_position_fills_up_with_zeros(dim: int, filled: int) -> None:
    """A width that six does not divide ends with zeros; the first axis comes first."""
    centers = torch.randn(2, 5, 3)
    pos = sine_position(centers, dim)
    assert pos.shape == (2, 5, dim) and pos[..., filled:].eq(0).all()
    third = filled // 3
    for axis in range(3):
        part = pos[..., axis * third : (axis + 1) * third]
        angle = 2 * math.pi * centers[..., axis : axis + 1]
        torch.testing.assert_close(part[..., 0::2], angle.sin().expand(-1, -1, third // 2))
        torch.testing.assert_close(part[..., 1::2], angle.cos().expand(-1, -1, third // 2))


def test_stack() -> None:
    """Its blocks, start token and the layer that makes points of a token."""
    stack = CausalStack(8, depth=3, num_heads=2, group_size=5)
    assert len(stack.layers) == 3 and stack.sos.shape == (8,) and stack.ln_f.normalized_shape == (8,)
    assert stack.increase_dim(torch.zeros(2, 8, 4)).shape == (2, 15, 4)


def test_stochastic_depth() -> None:
    """Growing over the blocks; in training whole branches of some samples are dropped."""
    stack = CausalStack(8, depth=3, num_heads=2, group_size=5, drop_path_rate=0.2)
    assert [block.drop_path.rate for block in stack.layers] == pytest.approx([0, 0.1, 0.2])
    block, x = CausalBlock(8, num_heads=2, drop_path=0.98).train(), torch.randn(200, 3, 8)
    unchanged = (block(x) == block.norm1(x)).flatten(1).all(dim=1).float().mean()
    assert 0.9 < unchanged < 1
