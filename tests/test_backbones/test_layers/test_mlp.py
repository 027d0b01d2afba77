"""The feed-forward network."""

from __future__ import annotations

import math

import pytest
import torch

from point_peft.backbones.layers import Mlp


def test_by_hand() -> None:
    """x = 1 and x = -1 through unit weights: GELU is x times the normal distribution's share below x."""
    mlp = Mlp(1, hidden_dim=1)
    for parameter in mlp.parameters():
        torch.nn.init.constant_(parameter, 1)
    torch.nn.init.zeros_(mlp.fc1.bias)
    below = 0.5 * (1 + math.erf(1 / 2**0.5))
    out = mlp(torch.tensor([[1.0], [-1.0]]))
    torch.testing.assert_close(out.flatten(), torch.tensor([1 + below, 1 - (1 - below)]))


def test_acts_on_every_token_alone() -> None:
    """Rows do not mix."""
    mlp, x = Mlp(4, hidden_dim=6), torch.randn(2, 3, 4)
    torch.testing.assert_close(mlp(x)[1, 2], mlp(x[1, 2]))


def test_wrong_dimension() -> None:
    """Another token dimension is an error."""
    with pytest.raises(RuntimeError, match='shapes cannot be multiplied'):
        Mlp(4, hidden_dim=6)(torch.randn(2, 3, 5))
