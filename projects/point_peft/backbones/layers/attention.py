"""Multi-head self-attention."""

from __future__ import annotations

from torch import Tensor, nn

from ...io.errors import InvalidValueError
from ...ops import attend, self_attention
from .linear import Linear


class Attention(nn.Module):
    """Multi-head self-attention with one fused projection, as in ViT and Point-MAE.

    Args:
        dim (int): Token dimension C.
        num_heads (int): Number of heads; must divide ``dim``.
        qkv_bias (bool): Whether the fused projection has a bias. Point-MAE: no.
    """

    def __init__(self, dim: int, *, num_heads: int = 6, qkv_bias: bool = False) -> None:
        super().__init__()
        if dim % num_heads:
            raise InvalidValueError(f'num_heads={num_heads} does not divide dim={dim}; choose a divisor.')
        self.num_heads = num_heads
        self.qkv = Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = Linear(dim, dim)

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        """Attend over all tokens.

        Args:
            x (Tensor): (B, L, C) tokens.
            attn_mask (Tensor | None): Broadcastable to (B, heads, L, L); True or 0 where attention is allowed.

        Returns:
            Tensor: (B, L, C).
        """
        batch, length, dim = x.shape
        qkv = self.qkv(x).view(batch, length, 3, self.num_heads, -1)
        if attn_mask is None:
            x = self_attention(qkv)
        else:
            q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, L, d)
            x = attend(q, k, v, attn_mask).transpose(1, 2)
        return self.proj(x.reshape(batch, length, dim))
