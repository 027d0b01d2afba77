"""Point-M2AE (Zhang et al., NeurIPS 2022, arXiv 2205.14401): a hierarchical transformer with local attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional as F

from ..io.errors import InvalidValueError
from ..ops import gather, group, knn, squared_distance
from ..registry import MODELS
from ..structures import BackboneFeatures, PointTokens, TokenStage
from .base import PointBackbone
from .layers import BlockStack, PatchEmbed, drop_path_rates, position_mlp
from .layers.init import init_transformer


@MODELS.register_module()
class PointM2AE(PointBackbone):
    """The Point-M2AE encoder as it is fine-tuned: stages of ever fewer tokens, each attending within a radius.

    Tensor names are the official ones, so pre-training and fine-tuning checkpoints load as they are. There is no class
    token. Without ``stage_norms`` the norms that close each stage of the pre-trained encoder are left out, as in the
    published fine-tuning; the descriptor then uses a norm without weights.

    Args:
        embed_dims (Sequence[int]): Token dimension of each stage.
        depths (Sequence[int]): Blocks of each stage.
        num_heads (int): Attention heads per block.
        num_groups (Sequence[int]): Tokens of each stage.
        group_size (Sequence[int]): Points of each group, then tokens merged into each token of the later stages; 32,
            16, 16 for ScanObjectNN, 16, 8, 8 for ModelNet and in pre-training.
        local_radius (Sequence[float]): Radius of attention in each stage, in the units of the cloud; 0 means none.
        drop_path_rate (float): Stochastic-depth rate of the last block.
        patch_dims (Sequence[int]): Widths of the first stage's PointNet.
        stage_norms (bool): Whether to keep the pre-trained norm of each stage, for the descriptor and for decoders.
        new_norm (bool): Whether the last stage gets a fresh norm, as in the published classifier; the published part
            segmentation uses the pre-trained one.
        decoder_layers (Sequence[Sequence[int]] | None): As of :class:`PointBackbone`.
        init_cfg (dict | None): ``dict(type='Pretrained', checkpoint=...)`` or None.
    """

    num_prefix_tokens = 0

    checkpoint_optional = (r'norm\.',)

    def __init__(
        self,
        *,
        embed_dims: Sequence[int] = (96, 192, 384),
        depths: Sequence[int] = (5, 5, 5),
        num_heads: int = 6,
        num_groups: Sequence[int] = (512, 256, 64),
        group_size: Sequence[int] = (32, 16, 16),
        local_radius: Sequence[float] = (0.32, 0.64, 1.28),
        drop_path_rate: float = 0.1,
        patch_dims: Sequence[int] = (128, 256, 512),
        stage_norms: bool = False,
        new_norm: bool = True,
        decoder_layers: Sequence[Sequence[int]] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg, decoder_layers=decoder_layers)
        self.embed_dims, self.depths = tuple(embed_dims), tuple(depths)
        self.embed_dim, self.num_groups = self.embed_dims[-1], num_groups[0]
        self.stage_groups, self.group_size = tuple(num_groups), tuple(group_size)
        self.local_radius = tuple(local_radius)
        rates = drop_path_rates(drop_path_rate, sum(depths))
        self.h_encoder = HierarchicalEncoder(
            self.embed_dims, self.depths, num_heads, rates, patch_dims, stage_norms
        )
        if not new_norm and not stage_norms:
            raise InvalidValueError(
                'new_norm=False needs stage_norms=True: without both there is no norm at the end.'
            )
        self.norm = nn.LayerNorm(self.embed_dim) if new_norm else None
        init_transformer(self)

    @property
    def layers(self) -> Sequence[nn.Module]:
        """Blocks of all stages in order."""
        return [block for stage in range(len(self.depths)) for block in self.h_encoder.stack(stage).blocks]

    @property
    def layer_stages(self) -> Sequence[int]:
        """Stage of every block."""
        return [stage for stage, depth in enumerate(self.depths) for _ in range(depth)]

    @property
    def layer_dims(self) -> Sequence[int]:
        """Token dimension of every block."""
        return [self.embed_dims[stage] for stage in self.layer_stages]

    def embed_groups(self, neighborhoods: Tensor) -> Tensor:
        """Embed groups (B, G, K, 3) as tokens (B, G, C_0) of the first stage."""
        return self.h_encoder.token_embed[0](neighborhoods)

    def embed_positions(self, centers: Tensor, stage: int = 0) -> Tensor:
        """Positions (B, G, C_s) of centers (B, G, 3) in a stage."""
        return self.h_encoder.encoder_pos_embeds[stage](centers)

    def embed(self, points: Tensor) -> PointTokens:
        """Group clouds (B, N, 3), embed the groups, and find which tokens the later stages merge.

        Raises:
            ValueError: If a cloud has fewer points than ``num_groups`` or ``group_size``.
        """
        groups = group(points, self.stage_groups[0], self.group_size[0])
        coarser = merged_stages(groups.centers, self.stage_groups[1:], self.group_size[1:])
        features = self.embed_groups(groups.neighborhoods)
        return PointTokens(features, *groups[:3], coarser=coarser, neighbor_index=groups.neighbor_index)

    def encode(self, tokens: PointTokens, *, hidden_layers: Sequence[int] = ()) -> BackboneFeatures:
        """Run the stages, merging tokens between them.

        Args:
            tokens (PointTokens): Groups of the first stage and the geometry of the later ones.
            hidden_layers (Sequence[int]): Blocks, counted over all stages, whose output tokens the head needs.

        Returns:
            BackboneFeatures: Normed tokens of the last stage; those in ``hidden`` are closed with their stage's norm.
        """
        hidden: dict[int, Tensor] = {}
        x, index = tokens.features, 0
        for stage, centers in enumerate(tokens.stage_centers):
            x = self.merge(x, tokens, stage)  # (B, G_s, C_s)
            pos = self.h_encoder.encoder_pos_embeds[stage](centers)
            near = local_attention_mask(centers, self.local_radius[stage])
            for block in self.h_encoder.stack(stage).blocks:
                x = block(x + pos, near)
                if index in hidden_layers:
                    hidden[index] = self.h_encoder.close_stage(x, stage)
                index += 1
        x = self.final_norm()(x)
        return BackboneFeatures(patches=x, tokens=tokens, prefix=x[:, :0], hidden=hidden)

    def summarize(self, tokens: PointTokens) -> Tensor:
        """Mean plus maximum over the last stage's normed tokens, attention without radii as in pre-training.

        Args:
            tokens (PointTokens): All tokens of ``embed``.

        Returns:
            Tensor: (B, C).
        """
        return self.stage_summaries(tokens)[-1]

    def stage_summaries(self, tokens: PointTokens) -> list[Tensor]:
        """The descriptor (B, C_s) of every stage."""
        x, found = tokens.features, []
        for stage, centers in enumerate(tokens.stage_centers):
            x = self.merge(x, tokens, stage)
            x = self.h_encoder.stack(stage)(x, self.h_encoder.encoder_pos_embeds[stage](centers))
            normed = self.h_encoder.close_stage(x, stage)
            found.append(normed.mean(dim=1) + normed.amax(dim=1))
        return found

    def merge(self, x: Tensor, tokens: PointTokens, stage: int) -> Tensor:
        """Tokens (B, G_s, C_s) that enter a stage, from those that left the one before."""
        if stage == 0:
            return x
        return self.h_encoder.token_embed[stage](gather(x, tokens.coarser[stage - 1].neighbor_index))

    def carry(self, x: Tensor, stage: int) -> Tensor:
        """Tokens (B, T, C_{s-1}) in the dimension of a later stage: each is merged as if it were its only neighbour."""
        return self.h_encoder.token_embed[stage](x.unsqueeze(2))

    def prefix_parameters(self) -> list[str]:
        """There are no prefix tokens."""
        return []

    def final_norm(self) -> nn.Module:
        """The norm after the last block: the fresh one, or else the pre-trained one of the last stage."""
        return self.norm if self.norm is not None else self.h_encoder.norms()[-1]


class HierarchicalEncoder(nn.Module):
    """The parameters of all stages, under their official names.

    Args:
        dims (Sequence[int]): Token dimension of each stage.
        depths (Sequence[int]): Blocks of each stage.
        num_heads (int): Attention heads.
        rates (Sequence[float]): Stochastic-depth rates of all blocks.
        patch_dims (Sequence[int]): Widths of the first stage's PointNet.
        stage_norms (bool): Whether there is a norm behind each stage.
    """

    def __init__(
        self,
        dims: Sequence[int],
        depths: Sequence[int],
        num_heads: int,
        rates: Sequence[float],
        patch_dims: Sequence[int],
        stage_norms: bool,
    ) -> None:
        super().__init__()
        self.token_embed = nn.ModuleList([PatchEmbed(dims[0], hidden_dims=patch_dims)])
        for before, dim in zip(dims, dims[1:]):
            self.token_embed.append(PatchEmbed(dim, hidden_dims=(before, before, dim), in_channels=before))
        self.encoder_pos_embeds = nn.ModuleList(position_mlp(dim, hidden_dim=dim) for dim in dims)
        starts = [sum(depths[:stage]) for stage in range(len(depths))]
        self.encoder_blocks = nn.ModuleList(
            BlockStack(dim, depth=depth, num_heads=num_heads, drop_path_rate=rates[start : start + depth])
            for dim, depth, start in zip(dims, depths, starts)
        )
        self.encoder_norms = nn.ModuleList(nn.LayerNorm(dim) for dim in dims) if stage_norms else None

    def stack(self, stage: int) -> BlockStack:
        """The blocks of a stage."""
        return cast(BlockStack, self.encoder_blocks[stage])

    def close_stage(self, x: Tensor, stage: int) -> Tensor:
        """Norm tokens (B, G, C) as the pre-trained network does behind a stage."""
        if self.encoder_norms is not None:
            return self.encoder_norms[stage](x)
        return F.layer_norm(x, x.shape[-1:])

    def norms(self) -> nn.ModuleList:
        """The norm of each stage."""
        assert self.encoder_norms is not None
        return self.encoder_norms


def merged_stages(
    centers: Tensor, num_groups: Sequence[int], group_size: Sequence[int]
) -> tuple[TokenStage, ...]:
    """Which tokens the later stages merge, from the first stage's centers (B, G, 3).

    Args:
        centers (Tensor): In the order of farthest point sampling.
        num_groups (Sequence[int]): Tokens of each later stage.
        group_size (Sequence[int]): Tokens merged into each of them.
    """
    stages = []
    for count, size in zip(num_groups, group_size):
        merged = centers[:, :count]  # what farthest point sampling of the centers gives
        stages.append(TokenStage(merged, knn(merged, centers, size)))
        centers = merged
    return tuple(stages)


def local_attention_mask(centers: Tensor, radius: float) -> Tensor | None:
    """Where attention is allowed (B, 1, G, G): between centers (B, G, 3) closer than ``radius``; None if that is 0."""
    if radius <= 0:
        return None
    return (squared_distance(centers, centers) < radius**2).unsqueeze(1)
