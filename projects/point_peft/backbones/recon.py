"""ReCon (Qi et al., ICML 2023, arXiv 2302.02318): contrast guided by reconstruction, in two streams."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ..registry import MODELS
from ..structures import PointTokens
from .base import TRANSFORMER_SITES
from .layers import Attention, BlockStack, CrossAttention, DropPath, Mlp
from .plain_transformer import PlainTransformer

NUM_GLOBAL_TOKENS = 3
"""Class, image and text token."""

GLOBAL_STREAM = (
    'norm1_contrast',
    'attn_contrast',
    'attn_contrast.q',
    'attn_contrast.kv',
    'attn_contrast.proj',
    'norm2_contrast',
    'mlp_contrast',
    'mlp_contrast.fc1',
    'mlp_contrast.fc2',
)
"""Sites of the stream of the global tokens, besides those of the patch tokens' stream."""


@MODELS.register_module()
class ReCon(PlainTransformer):
    """The ReCon encoder as it is fine-tuned: a local stream of patch tokens, read by a global stream of three tokens.

    Of a pre-training checkpoint the ``MAE_encoder.`` part is used, global tokens included. The local stream never sees
    the global one, so the descriptor needs the local stream only.

    Args:
        kwargs: As :class:`PlainTransformer`; 128 groups for ScanObjectNN, 64 for ModelNet.
    """

    checkpoint_prefixes = ('MAE_encoder.',)
    prefix_names = ('cls', 'img', 'text')
    prefix_is_pretrained = True
    block_sites = TRANSFORMER_SITES | {name: name for name in GLOBAL_STREAM}

    def build_blocks(self, depth: int, num_heads: int, drop_path_rate: float) -> BlockStack:
        """Build the stack of two-stream blocks."""
        return BlockStack(
            self.embed_dim,
            depth=depth,
            num_heads=num_heads,
            drop_path_rate=drop_path_rate,
            block=TwoStreamBlock,
        )

    def summarize(self, tokens: PointTokens, *, num_layers: int | None = None) -> Tensor:
        """Maximum over the normed patch tokens (B, C), from the local stream alone, after ``num_layers`` blocks."""
        x, pos = tokens.features, self.pos_embed(tokens.centers)
        for block in list(self.blocks.blocks)[:num_layers]:
            x = cast(TwoStreamBlock, block).local_stream(x + pos)[1]
        return self.norm(x).amax(dim=1)


class TwoStreamBlock(nn.Module):
    """A block in which global tokens attend to patch tokens, and patch tokens to each other (section 3.2).

    As published, the residual branches start from the normed tokens, not from the block's input.

    Args:
        dim (int): Token dimension C.
        num_heads (int): Attention heads.
        drop_path (float): Stochastic-depth rate of all branches.
    """

    def __init__(self, dim: int, *, num_heads: int, drop_path: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = Attention(dim, num_heads=num_heads)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, hidden_dim=4 * dim)
        self.norm1_contrast = nn.LayerNorm(dim)
        self.attn_contrast = CrossAttention(dim, num_heads=num_heads)
        self.norm2_contrast = nn.LayerNorm(dim)
        self.mlp_contrast = Mlp(dim, hidden_dim=4 * dim)

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        """Map ``[global tokens | patch tokens]`` (B, 3+G, C) to the same shape; the mask acts among patch tokens."""
        glob, local = x.split([NUM_GLOBAL_TOKENS, x.shape[1] - NUM_GLOBAL_TOKENS], dim=1)
        if attn_mask is not None:
            attn_mask = attn_mask[..., NUM_GLOBAL_TOKENS:, NUM_GLOBAL_TOKENS:]
        normed, local = self.local_stream(local, attn_mask)
        glob = self.norm1_contrast(glob)
        glob = self.norm2_contrast(self.drop_path.add_to(glob, self.attn_contrast(glob, normed)))
        glob = self.drop_path.add_to(glob, self.mlp_contrast(glob))
        return torch.cat([glob, local], dim=1)

    def local_stream(self, x: Tensor, attn_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Patch tokens (B, G, C) after the first norm, which the global stream reads, and after the block."""
        normed = self.norm1(x)
        x = self.norm2(self.drop_path.add_to(normed, self.attn(normed, attn_mask)))
        return normed, self.drop_path.add_to(x, self.mlp(x))
