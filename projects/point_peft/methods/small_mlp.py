"""An MLP that changes little at first."""

from __future__ import annotations

from torch import nn

INIT_STD = 0.02
"""Standard deviation of the weights of the layers that blocks share in PPT and PointLoRA (``_init_weights``)."""


def small_mlp(dim: int, hidden_dim: int, out_dim: int) -> nn.Sequential:
    """Build linear - GELU - linear with small weights and no biases at first."""
    first, last = nn.Linear(dim, hidden_dim), nn.Linear(hidden_dim, out_dim)
    for layer in (first, last):
        nn.init.trunc_normal_(layer.weight, std=INIT_STD)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(first, nn.GELU(), last)
