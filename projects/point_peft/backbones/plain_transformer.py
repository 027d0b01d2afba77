"""The plain transformer over groups of points that Point-BERT, Point-MAE, ACT and ReCon share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..ops import group
from ..structures import BackboneFeatures, PointTokens
from .base import PointBackbone
from .layers import BlockStack, PatchEmbed, position_mlp
from .layers.init import init_transformer


class PlainTransformer(PointBackbone):
    """Groups, a PointNet embedding, prefix tokens and one stack of blocks, before each of which positions are added.

    Subclasses say which prefix tokens there are; tensor names are the official ones (``PointTransformer`` of the
    reference code of each).

    Args:
        embed_dim (int): Token dimension C.
        depth (int): Number of blocks.
        num_heads (int): Attention heads per block.
        num_groups (int): Groups (tokens) G per cloud.
        group_size (int): Points K per group.
        drop_path_rate (float): Stochastic-depth rate of the last block.
        patch_dims (Sequence[int]): Widths of the patch embedding's PointNet.
        positions_once (bool): Whether positions are added before the first block only, as in DAPT's published code;
            else before every block, as in pre-training.
        decoder_layers (Sequence[Sequence[int]] | None): As of :class:`PointBackbone`.
        init_cfg (dict | None): ``dict(type='Pretrained', checkpoint=...)`` or None.
    """

    prefix_names: Sequence[str] = ('cls',)
    """Each prefix token ``name`` has the parameters ``name_token`` and ``name_pos``."""

    def __init__(
        self,
        *,
        embed_dim: int = 384,
        depth: int = 12,
        num_heads: int = 6,
        num_groups: int = 128,
        group_size: int = 32,
        drop_path_rate: float = 0.1,
        patch_dims: Sequence[int] = (128, 256, 512),
        positions_once: bool = False,
        decoder_layers: Sequence[Sequence[int]] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg, decoder_layers=decoder_layers)
        self.embed_dim = embed_dim
        self.num_prefix_tokens = len(self.prefix_names)
        self.num_groups = num_groups
        self.group_size = group_size
        self.positions_once = positions_once
        self.encoder = self.build_patch_embed(patch_dims)
        for name in self.prefix_names:
            self.register_parameter(f'{name}_token', nn.Parameter(torch.zeros(1, 1, embed_dim)))
            self.register_parameter(f'{name}_pos', nn.Parameter(torch.zeros(1, 1, embed_dim)))
        self.pos_embed = position_mlp(embed_dim)
        self.blocks = self.build_blocks(depth, num_heads, drop_path_rate)
        self.norm = nn.LayerNorm(embed_dim)
        init_transformer(self)

    def build_patch_embed(self, patch_dims: Sequence[int]) -> PatchEmbed:
        """Build the embedding of groups; called ``encoder`` in official files."""
        return PatchEmbed(self.embed_dim, hidden_dims=patch_dims)

    def build_blocks(self, depth: int, num_heads: int, drop_path_rate: float) -> BlockStack:
        """Build the stack of blocks."""
        return BlockStack(self.embed_dim, depth=depth, num_heads=num_heads, drop_path_rate=drop_path_rate)

    @property
    def layers(self) -> Sequence[nn.Module]:
        """Transformer blocks in order."""
        return list(self.blocks.blocks)

    def embed_groups(self, neighborhoods: Tensor) -> Tensor:
        """Embed groups (B, G, K, 3) as (B, G, C)."""
        return self.encoder(neighborhoods)

    def embed_positions(self, centers: Tensor, stage: int = 0) -> Tensor:
        """Positions (B, G, C) of centers (B, G, 3)."""
        return self.pos_embed(centers)

    def prefix_tokens(self) -> Tensor:
        """Prefix tokens (1, P, C) without positions."""
        tokens = [getattr(self, f'{name}_token') for name in self.prefix_names]
        return torch.cat(tokens, dim=1) if tokens else super().prefix_tokens()

    def embed(self, points: Tensor) -> PointTokens:
        """Group clouds (B, N, 3) by farthest point sampling and nearest neighbours, and embed each group.

        Raises:
            ValueError: If a cloud has fewer points than ``num_groups`` or ``group_size``.
        """
        groups = group(points, self.num_groups, self.group_size)
        return PointTokens(
            self.embed_groups(groups.neighborhoods), *groups[:3], neighbor_index=groups.neighbor_index
        )

    def encode(self, tokens: PointTokens, *, hidden_layers: Sequence[int] = ()) -> BackboneFeatures:
        """Run the blocks over ``[prefix tokens | patch tokens]``.

        Args:
            tokens (PointTokens): G embedded groups.
            hidden_layers (Sequence[int]): Blocks whose output patch tokens the head needs.

        Returns:
            BackboneFeatures: Normed tokens, in ``hidden`` too.
        """
        prefix, hidden = self.num_prefix_tokens, {}
        x, pos = self.sequence(tokens)  # (B, P+G, C)
        for index, block in enumerate(self.layers):
            x = block(x if index and self.positions_once else x + pos)
            if index in hidden_layers:
                hidden[index] = self.norm(x[:, prefix:])
        raw_prefix, x = x[:, :prefix], self.norm(x)
        return BackboneFeatures(x[:, prefix:], tokens, x[:, :prefix], raw_prefix=raw_prefix, hidden=hidden)

    def summarize(self, tokens: PointTokens, *, num_layers: int | None = None) -> Tensor:
        """Maximum over the normed patch tokens: Point-MAE's descriptor (its SVM evaluation) without the mean.

        Prefix tokens take part if they are pre-trained.

        Args:
            tokens (PointTokens): G embedded groups; pre-training used 64.
            num_layers (int | None): Blocks that run before the norm; None means all.

        Returns:
            Tensor: (B, C).
        """
        if self.prefix_is_pretrained:
            x, pos = self.sequence(tokens)
        else:
            x, pos = tokens.features, self.pos_embed(tokens.centers)
        x = self.blocks(x, pos, num_layers=num_layers)[:, -tokens.features.shape[1] :]
        return self.norm(x).amax(dim=1)

    def sequence(self, tokens: PointTokens) -> tuple[Tensor, Tensor]:
        """Prefix and patch tokens (B, P+G, C), and their positions (B, P+G, C)."""
        batch = tokens.features.shape[0]
        prefix = [getattr(self, f'{name}_token').expand(batch, -1, -1) for name in self.prefix_names]
        prefix_pos = [getattr(self, f'{name}_pos').expand(batch, -1, -1) for name in self.prefix_names]
        x = torch.cat([*prefix, tokens.features], dim=1)
        return x, torch.cat([*prefix_pos, self.pos_embed(tokens.centers)], dim=1)

    def prefix_parameters(self) -> list[str]:
        """The prefix tokens and their positions."""
        return [f'{name}_{part}' for name in self.prefix_names for part in ('token', 'pos')]

    def final_norm(self) -> nn.LayerNorm:
        """The norm after the last block."""
        return self.norm
