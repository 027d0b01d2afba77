"""The transformer block and the stack of blocks."""

from __future__ import annotations

import torch
from small_models import scramble
from torch import nn
from torch.nn import functional as F

from point_peft.backbones.layers import Block, BlockStack


def test_formula() -> None:
    """x + Attn(LN x), then x + MLP(LN x), written out."""
    block = Block(8, num_heads=2, mlp_ratio=3)
    scramble(block)
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    first = x + block.attn(F.layer_norm(x, (8,), block.norm1.weight, block.norm1.bias))
    hidden = F.layer_norm(first, (8,), block.norm2.weight, block.norm2.bias)
    hidden = F.linear(
        F.gelu(F.linear(hidden, block.mlp.fc1.weight, block.mlp.fc1.bias)), block.mlp.fc2.weight
    )
    torch.testing.assert_close(block(x), first + hidden + block.mlp.fc2.bias)
    assert block.mlp.fc1.out_features == 24


def test_mask_reaches_the_attention() -> None:
    """A token that may only see itself does not depend on the others."""
    block = Block(8, num_heads=2)
    scramble(block)
    x = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(0))
    changed = torch.cat([x[:, :1], -x[:, 1:]], dim=1)
    mask = torch.ones(5, 5, dtype=torch.bool)
    mask[0, 1:] = False
    torch.testing.assert_close(block(x, attn_mask=mask)[:, 0], block(changed, attn_mask=mask)[:, 0])
    assert (block(x)[:, 0] - block(changed)[:, 0]).abs().max() > 1e-2


def test_both_branches_are_dropped() -> None:
    """At a rate near one a block is the identity for nearly every sample."""
    torch.manual_seed(0)
    block = Block(8, num_heads=2, drop_path=0.98).train()
    scramble(block)
    x = torch.randn(200, 3, 8)
    unchanged = (block(x) == x).flatten(1).all(dim=1).float().mean()
    assert 0.9 < unchanged < 1


def test_stack_adds_positions_before_every_block() -> None:
    """Point-MAE adds them anew in each block, not once."""
    stack = BlockStack(8, depth=3, num_heads=2).eval()
    scramble(stack)
    x, pos = torch.randn(2, 1, 5, 8, generator=torch.Generator().manual_seed(0))
    expected = x
    for block in stack.blocks:
        expected = block(expected + pos)
    torch.testing.assert_close(stack(x, pos), expected)
    once = nn.Sequential(*stack.blocks)(x + pos)
    assert (stack(x, pos) - once).abs().max() > 1e-2


def test_rates_of_a_stack() -> None:
    """Growing linearly from 0."""
    stack = BlockStack(8, depth=3, num_heads=2, drop_path_rate=0.2)
    assert [block.drop_path.rate for block in stack.blocks] == [0, 0.1, 0.2]
