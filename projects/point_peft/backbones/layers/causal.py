"""The causal transformer of PointGPT (arXiv 2305.11487)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import Attention
from .drop_path import DropPath, drop_path_rates
from .mlp import Mlp


class CausalStack(nn.Module):
    """Start token, blocks and final norm under the names of the official ``GPT_extractor`` and ``GPT_generator``.

    Args:
        dim (int): Token dimension C.
        depth (int): Number of blocks.
        num_heads (int): Attention heads.
        group_size (int): Points that ``increase_dim`` makes of a token.
        drop_path_rate (float): Stochastic-depth rate of the last block, growing linearly from 0 in the first.
    """

    def __init__(
        self, dim: int, *, depth: int, num_heads: int, group_size: int, drop_path_rate: float = 0.0
    ) -> None:
        super().__init__()
        self.sos = nn.Parameter(torch.randn(dim))
        self.layers = nn.ModuleList(
            CausalBlock(dim, num_heads=num_heads, drop_path=rate)
            for rate in drop_path_rates(drop_path_rate, depth)
        )
        self.ln_f = nn.LayerNorm(dim)
        self.increase_dim = nn.Sequential(nn.Conv1d(dim, 3 * group_size, 1))


class CausalBlock(nn.Module):
    """A block whose first residual branch starts from the normed tokens, as published.

    Args:
        dim (int): Token dimension C.
        num_heads (int): Attention heads.
        drop_path (float): Stochastic-depth rate of both branches.
    """

    def __init__(self, dim: int, *, num_heads: int, drop_path: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = Attention(dim, num_heads=num_heads, qkv_bias=True)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, hidden_dim=4 * dim)

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        """Map tokens (B, L, C) to tokens (B, L, C)."""
        x = self.norm1(x)
        x = self.drop_path.add_to(x, self.attn(x, attn_mask))
        return self.drop_path.add_to(x, self.mlp(self.norm2(x)))


def causal_mask(length: int, device: torch.device) -> Tensor:
    """(L, L), True where attention is allowed: to the token itself and those before it."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


def sine_position(centers: Tensor, dim: int) -> Tensor:
    """Positional embedding (B, G, C) of centers (B, G, 3): sine and cosine of 2 pi x, over and over.

    The published code means to use many frequencies but passes a temperature of 1, so there is one.
    """
    width = dim // 3 // 2
    angle = 2 * math.pi * centers
    waves = torch.stack([angle.sin(), angle.cos()], dim=-1)  # (B, G, 3, 2)
    pos = waves.unsqueeze(3).expand(-1, -1, -1, width, -1).flatten(2)  # (B, G, 6 * width)
    return F.pad(pos, (0, dim - pos.shape[-1]))
