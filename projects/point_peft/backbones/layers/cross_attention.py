"""Multi-head cross-attention."""

from __future__ import annotations

from torch import Tensor, nn

from ...ops import attend
from .linear import Linear


class CrossAttention(nn.Module):
    """Multi-head attention from one sequence to another, as in ReCon's global stream.

    Args:
        dim (int): Token dimension C.
        num_heads (int): Number of heads; must divide ``dim``.
    """

    def __init__(self, dim: int, *, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q = Linear(dim, dim, bias=False)
        self.kv = Linear(dim, 2 * dim, bias=False)
        self.proj = Linear(dim, dim)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Let tokens ``x`` (B, L, C) attend to ``context`` (B, M, C); returns (B, L, C)."""
        q = self.q(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # (B, heads, L, d)
        k, v = self.kv(context).unflatten(-1, (2, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(attend(q, k, v).transpose(1, 2).flatten(2))
