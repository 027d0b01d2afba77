"""Random initialisation of transformers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from point_peft.backbones.layers.init import init_transformer


class Toy(nn.Module):
    """One of each kind of layer, and a class token."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(200, 200)
        self.conv = nn.Conv1d(200, 200, 1)
        self.bare = nn.Linear(2, 2, bias=False)
        self.norm = nn.LayerNorm(8)
        self.cls_token = nn.Parameter(torch.full((1, 1, 500), 7.0))
        self.gate = nn.Parameter(torch.full((1,), 7.0))
        nn.init.constant_(self.norm.weight, 5)


def test_values() -> None:
    """Weights and tokens have standard deviation 0.02, biases are 0, norms 1; other parameters are left alone."""
    torch.manual_seed(0)
    toy = Toy()
    init_transformer(toy)
    for value in (toy.linear.weight, toy.conv.weight, toy.cls_token):
        assert value.std().item() == pytest.approx(0.02, rel=0.1) and value.mean().abs() < 0.004
    for value in (toy.linear.bias, toy.conv.bias, toy.norm.bias):
        assert value.eq(0).all()
    assert toy.norm.weight.eq(1).all() and toy.gate.item() == 7


def test_seeded() -> None:
    """The same seed gives the same weights, another seed others."""

    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        toy = Toy()
        init_transformer(toy)
        return toy.linear.weight

    assert torch.equal(weights(0), weights(0)) and not torch.equal(weights(0), weights(1))
