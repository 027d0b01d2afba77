"""The feed-forward network of a transformer block."""

from __future__ import annotations

from torch import Tensor, nn

from .linear import Linear


class Mlp(nn.Module):
    """Linear - GELU - Linear.

    Args:
        dim (int): Input and output dimension C.
        hidden_dim (int): Dimension between the two layers.
    """

    def __init__(self, dim: int, *, hidden_dim: int) -> None:
        super().__init__()
        self.fc1 = Linear(dim, hidden_dim)
        self.act = nn.GELU()
        self.fc2 = Linear(hidden_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to (..., C)."""
        return self.fc2(self.act(self.fc1(x)))
