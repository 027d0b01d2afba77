"""The pre-norm transformer block and stacks of it."""

from __future__ import annotations

from torch import Tensor, nn

from .attention import Attention
from .drop_path import DropPath, drop_path_rates
from .mlp import Mlp


class Block(nn.Module):
    """Pre-norm transformer block: attention, then feed-forward, each with a residual.

    Args:
        dim (int): Token dimension C.
        num_heads (int): Attention heads.
        mlp_ratio (float): Hidden dimension of the feed-forward network over C.
        drop_path (float): Stochastic-depth rate of both branches.
    """

    def __init__(self, dim: int, *, num_heads: int, mlp_ratio: float = 4.0, drop_path: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = Attention(dim, num_heads=num_heads)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, hidden_dim=int(dim * mlp_ratio))

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        """Map tokens (B, L, C) to tokens (B, L, C)."""
        x = x + self.drop_path(self.attn(self.norm1(x), attn_mask))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class BlockStack(nn.Module):
    """Transformer blocks under the official name ``blocks``, with linearly growing drop-path.

    Args:
        dim (int): Token dimension C.
        depth (int): Number of blocks.
        num_heads (int): Attention heads.
        drop_path_rate (float): Rate of the last block; the first one has 0.
    """

    def __init__(self, dim: int, *, depth: int, num_heads: int, drop_path_rate: float = 0.0) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(dim, num_heads=num_heads, drop_path=rate) for rate in drop_path_rates(drop_path_rate, depth)
        )

    def forward(self, x: Tensor, pos: Tensor) -> Tensor:
        """Run all blocks, adding the positions ``pos`` (B, L, C) before each (Point-MAE, models/Point_MAE.py)."""
        for block in self.blocks:
            x = block(x + pos)
        return x
