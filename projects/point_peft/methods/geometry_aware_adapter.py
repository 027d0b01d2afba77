"""Geometry-aware Adapter (Point-PEFT, AAAI 2024, arXiv 2310.03059, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones import PointBackbone
from ..backbones.layers import BatchNorm1d, DropPath, drop_path_rates
from ..io.errors import InvalidValueError
from ..ops import (
    add_interpolated,
    farthest_point_sample,
    flat_rows,
    gather,
    interpolation_weights,
    knn,
    normed_linear,
    region_attention,
    region_max_pool,
    take_rows,
)
from ..registry import MODELS
from ..structures import PointTokens
from .base import TuningMethod
from .bottleneck import Bottleneck
from .context import TuningContext

POOL_NORMS: dict[str, type[nn.Module]] = {'batch': BatchNorm1d, 'layer': nn.LayerNorm}
"""Norms of the geometry-aware adapter's pooled features by name."""


@dataclass(frozen=True)
class TokenGeometry:
    """Regions of a sequence of tokens ``[prefix | patches]``, computed once per forward and shared by all blocks.

    Attributes:
        rows (Tensor): (B, S, K) places of each region's tokens in the list of all samples' tokens, its center first.
        anchors (Tensor): (B, S) those of the centers.
        interpolation (Tensor): (B, P+G, S) weights that carry region features to tokens: rows of patch tokens sum to
            one, those of prefix tokens are zero.
    """

    rows: Tensor
    anchors: Tensor
    interpolation: Tensor

    @classmethod
    def of(
        cls, centers: Tensor, region_centers: Tensor, neighbor_index: Tensor, num_prefix: int = 0
    ) -> TokenGeometry:
        """Geometry of regions with these centers (B, S, 3) among token centers (B, G, 3), behind P prefix tokens."""
        weights = interpolation_weights(centers, region_centers).to(centers.dtype)
        weights = F.pad(weights, (0, 0, num_prefix, 0))
        rows = flat_rows(neighbor_index + num_prefix, weights.shape[1])
        return cls(rows, rows[..., 0].contiguous(), weights)


@MODELS.register_module()
class GeometryAwareAdapter(TuningMethod):
    """Let neighbouring tokens exchange local structure after every block.

    Farthest point sampling picks S of the G group centers, each with its K nearest; the tokens of a region attend to
    each other, are max-pooled, and the pooled feature is propagated to all tokens by inverse distance. A bottleneck
    follows. Attention and its norm are shared by all blocks of a stage; batch norm and bottleneck are per block. In a
    hierarchical backbone the regions of a stage are those that the next stage merges; the last stage finds its own.

    Args:
        center_ratio (float): Regions per token, S / G; 64 of 128 in the release. (32 of 64 in Point-M2AE's last stage.)
        num_neighbors (int): Tokens K per region; 16.
        attn_dim (int): Width of the local attention; 18.
        num_heads (int): Heads of the local attention; 6.
        hidden_dim (int): Dimension of the bottleneck; 16.
        center_scale (float): Weight of a region's center token in its pooled feature; 0.3.
        propagation_scale (float): Weight of the propagated feature; 0.3.
        drop_path (float): Rate at which a region's attention is dropped in the last block, growing from 0; 0.1.
        pool_norm (str): Norm of the pooled features: ``batch`` as released, or ``layer``.
    """

    unfoldable = 'it mixes neighbouring tokens, differently in every cloud'

    def __init__(
        self,
        *,
        center_ratio: float = 0.5,
        num_neighbors: int = 16,
        attn_dim: int = 18,
        num_heads: int = 6,
        hidden_dim: int = 16,
        center_scale: float = 0.3,
        propagation_scale: float = 0.3,
        drop_path: float = 0.1,
        pool_norm: str = 'batch',
    ) -> None:
        super().__init__()
        if not 0 < center_ratio <= 1:
            raise InvalidValueError(
                f'center_ratio={center_ratio} is outside (0, 1]; it is the share of tokens that are region centers.'
            )
        if pool_norm not in POOL_NORMS:
            raise InvalidValueError(f'pool_norm={pool_norm!r} is unknown; use one of {sorted(POOL_NORMS)}.')
        self.pool_norm = pool_norm
        self.center_ratio, self.num_neighbors = center_ratio, num_neighbors
        self.attn_dim, self.num_heads, self.hidden_dim = attn_dim, num_heads, hidden_dim
        self.center_scale, self.propagation_scale = center_scale, propagation_scale
        self.drop_path_rate = drop_path

    def setup(self, backbone: PointBackbone) -> None:
        """Create each stage's shared attention and each block's pooling norm and bottleneck."""
        self.stages = list(backbone.layer_stages)
        stage_dims = dict(zip(self.stages, backbone.layer_dims)).values()
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for dim in stage_dims)
        self.attns = nn.ModuleList(
            LocalAttention(dim, attn_dim=self.attn_dim, num_heads=self.num_heads) for dim in stage_dims
        )
        rates = drop_path_rates(self.drop_path_rate, len(self.stages))
        self.drop_paths = nn.ModuleList(DropPath(rate) for rate in rates)
        self.pool_norms = nn.ModuleList(POOL_NORMS[self.pool_norm](dim) for dim in backbone.layer_dims)
        self.adapters = nn.ModuleList(
            Bottleneck(dim, hidden_dim=self.hidden_dim) for dim in backbone.layer_dims
        )

    def attach(self, backbone: PointBackbone) -> None:
        """Act on the output of every block."""
        for index, block in enumerate(backbone.layers):
            self._attach_to(block, index)

    def begin(self, context: TuningContext) -> list[TokenGeometry]:
        """Find the regions of every stage's centers, once per forward.

        Raises:
            ValueError: If there are fewer tokens than neighbours in a region.
        """
        return token_geometry(context.tokens, self.center_ratio, self.num_neighbors, context.num_prefix)

    def _attach_to(self, block: nn.Module, index: int) -> None:
        self.on_output(block, lambda _, x: self._adapt(x, index))

    def _adapt(self, x: Tensor, index: int) -> Tensor:
        """Adapt a block's output (B, P+G, C)."""
        x = self._exchange(x, index, self.state[self.stages[index]])
        return self.adapters[index](x, residual_scale=1.0)

    def _exchange(self, tokens: Tensor, index: int, geometry: TokenGeometry) -> Tensor:
        """Local interaction, pooling and propagation among the patch tokens of a sequence (B, P+G, C)."""
        stage = self.stages[index]
        norm, attn = cast(nn.LayerNorm, self.norms[stage]), cast(LocalAttention, self.attns[stage])
        attended = attn(tokens, norm, geometry.rows)  # (B, S, K, attn_dim)
        attended = self.drop_paths[index](attended.flatten(0, 1)).view_as(attended)  # dropped per region
        regions = region_max_pool(tokens, geometry.rows, attended, attn.proj.weight)  # (B, S, C)
        regions = regions + attn.proj.bias  # the same for all neighbours, so added after the maximum
        regions = F.gelu(self.pool_norms[index](regions.flatten(0, 1))).view_as(regions)
        regions = torch.add(regions, take_rows(tokens, geometry.anchors), alpha=self.center_scale)
        return add_interpolated(tokens, geometry.interpolation, regions, scale=self.propagation_scale)


def token_geometry(
    tokens: PointTokens, center_ratio: float, num_neighbors: int, num_prefix: int = 0
) -> list[TokenGeometry]:
    """Regions of every stage: those that the next stage merges; in the last stage around the first sampled centers.

    Args:
        tokens (PointTokens): The embedded groups.
        center_ratio (float): Regions per token of the last stage.
        num_neighbors (int): Tokens of each.
        num_prefix (int): Tokens that stand before the patch tokens in the sequence.

    Raises:
        ValueError: If there are fewer tokens than neighbours in a region.
    """
    geometry = [
        TokenGeometry.of(centers, stage.centers, stage.neighbor_index, num_prefix)
        for centers, stage in zip(tokens.stage_centers, tokens.coarser)
    ]
    centers = tokens.stage_centers[-1]
    if centers.shape[1] < num_neighbors:
        raise InvalidValueError(
            f'a region has num_neighbors={num_neighbors} tokens, but the last stage of the backbone has only '
            f'{centers.shape[1]}; lower num_neighbors.'
        )
    regions = _spread_centers(tokens, max(1, round(center_ratio * centers.shape[1])))
    geometry.append(TokenGeometry.of(centers, regions, knn(regions, centers, num_neighbors), num_prefix))
    return geometry


def _spread_centers(tokens: PointTokens, count: int) -> Tensor:
    """Centers (B, count, 3) that farthest point sampling picks among those of the last stage, from the first one on."""
    centers = tokens.stage_centers[-1]
    if tokens.sampling_rank is None:  # they were picked in that order
        return centers[:, :count]
    return gather(centers, farthest_point_sample(centers, count))


class LocalAttention(nn.Module):
    """Self-attention among the tokens of each region, in a narrow space.

    Projections act on tokens before they are gathered, which is the same and reads ``3 * attn_dim`` numbers per
    neighbour instead of C.

    Args:
        dim (int): Token dimension C.
        attn_dim (int): Width of queries, keys and values over all heads.
        num_heads (int): Heads; must divide ``attn_dim``.
    """

    def __init__(self, dim: int, *, attn_dim: int, num_heads: int) -> None:
        super().__init__()
        if attn_dim % num_heads:
            raise InvalidValueError(
                f'num_heads={num_heads} does not divide attn_dim={attn_dim}; choose a divisor.'
            )
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * attn_dim, bias=False)
        self.proj = nn.Linear(attn_dim, dim)

    def forward(self, tokens: Tensor, norm: nn.LayerNorm, rows: Tensor) -> Tensor:
        """Attend within regions.

        Args:
            tokens (Tensor): (B, G, C).
            norm (LayerNorm): What the tokens pass first.
            rows (Tensor): (B, S, K) tokens of each region in the list of all samples' tokens.

        Returns:
            Tensor: (B, S, K, attn_dim); ``proj`` brings it to C.
        """
        qkv = normed_linear(tokens, norm.weight, norm.bias, norm.eps, self.qkv.weight)
        return region_attention(qkv, rows, self.num_heads)
