"""Point-MAE (Pang et al., ECCV 2022, arXiv 2203.06604): a plain transformer over groups of points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..ops import group
from ..registry import MODELS
from ..structures import BackboneFeatures, PointTokens
from .base import PointBackbone
from .layers import BlockStack, PatchEmbed, position_mlp
from .layers.init import init_transformer


@MODELS.register_module()
class PointMAE(PointBackbone):
    """The Point-MAE encoder as it is fine-tuned: class token, patch tokens, positions added before every block.

    Tensor names are the official ones (``PointTransformer`` of the reference), so its checkpoints load as they are;
    of a pre-training checkpoint the ``MAE_encoder.`` part is used.

    Args:
        embed_dim (int): Token dimension C.
        depth (int): Number of blocks.
        num_heads (int): Attention heads per block.
        num_groups (int): Groups (tokens) G per cloud; 128 for ScanObjectNN, 64 for ModelNet.
        group_size (int): Points K per group.
        drop_path_rate (float): Stochastic-depth rate of the last block.
        patch_dims (Sequence[int]): Widths of the patch embedding's PointNet.
        class_token (bool): Whether there is a class token; the pre-training encoder has none.
        init_cfg (dict | None): ``dict(type='Pretrained', checkpoint=...)`` or None.
    """

    checkpoint_prefixes = ('MAE_encoder.',)

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
        class_token: bool = True,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.embed_dim = embed_dim
        self.num_prefix_tokens = int(class_token)
        self.num_groups = num_groups
        self.group_size = group_size
        self.encoder = PatchEmbed(embed_dim, hidden_dims=patch_dims)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim)) if class_token else None
        self.cls_pos = nn.Parameter(torch.zeros(1, 1, embed_dim)) if class_token else None
        self.pos_embed = position_mlp(embed_dim)
        self.blocks = BlockStack(embed_dim, depth=depth, num_heads=num_heads, drop_path_rate=drop_path_rate)
        self.norm = nn.LayerNorm(embed_dim)
        init_transformer(self)

    @property
    def layers(self) -> Sequence[nn.Module]:
        """Transformer blocks in order."""
        return list(self.blocks.blocks)

    def embed(self, points: Tensor) -> PointTokens:
        """Group clouds (B, N, 3) by farthest point sampling and nearest neighbours, and embed each group.

        Raises:
            ValueError: If a cloud has fewer points than ``num_groups`` or ``group_size``.
        """
        groups = group(points, self.num_groups, self.group_size)
        return PointTokens(
            features=self.encoder(groups.neighborhoods),
            centers=groups.centers,
            neighborhoods=groups.neighborhoods,
            center_index=groups.center_index,
        )

    def encode(self, tokens: PointTokens, *, hidden_layers: Sequence[int] = ()) -> BackboneFeatures:
        """Run the blocks over ``[class token | patch tokens]``.

        Args:
            tokens (PointTokens): G embedded groups.
            hidden_layers (Sequence[int]): Blocks whose output patch tokens the head needs.

        Returns:
            BackboneFeatures: Normed tokens; ``hidden`` holds un-normed ones.
        """
        x, pos = tokens.features, self.pos_embed(tokens.centers)  # (B, G, C)
        if self.cls_token is not None and self.cls_pos is not None:
            x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)  # (B, 1+G, C)
            pos = torch.cat([self.cls_pos.expand(len(x), -1, -1), pos], dim=1)
        prefix, hidden = self.num_prefix_tokens, {}
        for index, block in enumerate(self.layers):
            x = block(x + pos)
            if index in hidden_layers:
                hidden[index] = x[:, prefix:]
        x = self.norm(x)
        return BackboneFeatures(
            patches=x[:, prefix:], centers=tokens.centers, prefix=x[:, :prefix], hidden=hidden
        )

    def summarize(self, tokens: PointTokens) -> Tensor:
        """Global descriptor of the pre-trained encoder: max over the normed patch tokens, without class token.

        Args:
            tokens (PointTokens): G embedded groups; pre-training used 64.

        Returns:
            Tensor: (B, C).
        """
        x = self.blocks(tokens.features, self.pos_embed(tokens.centers))
        return self.norm(x).amax(dim=1)

    def prefix_parameters(self) -> list[str]:
        """The class token and its position; neither is pre-trained."""
        return ['cls_token', 'cls_pos'] if self.num_prefix_tokens else []

    def final_norm(self) -> nn.LayerNorm:
        """The norm after the last block."""
        return self.norm
