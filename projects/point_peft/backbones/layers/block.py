"""The pre-norm transformer block and stacks of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
        x = self.drop_path.add_to(x, self.attn(self.norm1(x), attn_mask))
        return self.drop_path.add_to(x, self.mlp(self.norm2(x)))


class BlockStack(nn.Module):
    """Transformer blocks under the official name ``blocks``.

    Args:
        dim (int): Token dimension C.
        depth (int): Number of blocks.
        num_heads (int): Attention heads.
        drop_path_rate (float | Sequence[float]): Rate of the last block, growing linearly from 0 in the first; or the
            rate of every block.
        block (Callable): What builds a block: ``block(dim, num_heads=..., drop_path=...)``.
    """

    def __init__(
        self,
        dim: int,
        *,
        depth: int,
        num_heads: int,
        drop_path_rate: float | Sequence[float] = 0.0,
        block: Callable[..., nn.Module] = Block,
    ) -> None:
        super().__init__()
        rates = (
            drop_path_rates(drop_path_rate, depth) if isinstance(drop_path_rate, float) else drop_path_rate
        )
        self.blocks = nn.ModuleList(block(dim, num_heads=num_heads, drop_path=rate) for rate in rates)

    def forward(
        self, x: Tensor, pos: Tensor, attn_mask: Tensor | None = None, *, num_layers: int | None = None
    ) -> Tensor:
        """Run the first ``num_layers`` blocks, by default all.

        The positions ``pos`` (B, L, C) are added before each (Point-MAE, models/Point_MAE.py).
        """
        for block in list(self.blocks)[:num_layers]:
            x = block(x + pos, attn_mask)
        return x
