"""Layers that the released Point-PEFT hangs on every backbone, errors included; names as released."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones.layers import BatchNorm1d, Block
from ..io.errors import InvalidValueError
from ..ops import add_interpolated, knn, max_pool

NUM_HEADS = 6
LOCAL_HEADS, LOCAL_DIM = 6, 18
ADAPTER_DIM, PROMPT_ADAPTER_DIM = 16, 8
DROPOUT = 0.1
PROMPT_STD = 0.02
EPS = 1e-8


class ReleaseAdapter(nn.Module):
    """Bottleneck with quick GELU, without a residual.

    Args:
        dim (int): Token dimension C.
        hidden_dim (int): Dimension of the bottleneck.
    """

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.ln1 = nn.Linear(dim, hidden_dim)
        self.ln2 = nn.Linear(hidden_dim, dim)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to (..., C)."""
        hidden = self.ln1(x)
        return self.ln2(self.dropout(hidden * torch.sigmoid(1.702 * hidden)))


class ReleaseLocalAttention(nn.Module):
    """Attention among the neighbours of a region with the release's scale.

    Args:
        dim (int): Token dimension C.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * LOCAL_DIM, bias=False)
        self.proj = nn.Linear(LOCAL_DIM, dim)

    def forward(self, rows: Tensor, neighbors: Tensor) -> Tensor:
        """Map rows (M, C) at ``neighbors`` (R, K) int64 to (R, K, C)."""
        qkv = _rows_at(self.qkv(rows), neighbors)  # (R, K, 54)
        q, k, v = qkv.unflatten(2, (3, LOCAL_HEADS, -1)).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(q, k, v, scale=LOCAL_DIM**-0.5)
        return self.proj(x.transpose(1, 2).flatten(2))


class ReleaseRegions:
    """Regions around the first of some centers (B, G, 3), with indices into a flattened (B * G) tensor.

    Args:
        centers (Tensor): (B, G, 3) in the order in which farthest point sampling picked them.
        num_regions (int): Regions S.
        region_size (int): Neighbours K in each.

    Raises:
        ValueError: If there are fewer centers than regions or neighbours.
    """

    def __init__(self, centers: Tensor, num_regions: int, region_size: int) -> None:
        batch, count, _ = centers.shape
        if count < num_regions:
            raise InvalidValueError(
                f'num_groups={count}, but the release has num_regions={num_regions}; raise num_groups.'
            )
        chosen = centers[:, :num_regions]  # what farthest point sampling of the centers gives
        offset = torch.arange(batch, device=centers.device) * count
        self.neighbors = (knn(chosen, centers, region_size) + offset.view(-1, 1, 1)).flatten(0, 1)  # (B*S, K)
        self.anchors = (torch.arange(num_regions, device=centers.device) + offset.unsqueeze(1)).flatten()
        self.interpolation = _interpolation(centers, chosen)  # (B, G, S)


class ReleaseStack(nn.Module):
    """Blocks and the local attention that they share.

    Args:
        blocks (Sequence[ReleaseBlock]): Blocks of one token dimension.
    """

    def __init__(self, blocks: Sequence[ReleaseBlock]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.attn1 = ReleaseLocalAttention(blocks[0].dim)
        self.norm3 = nn.LayerNorm(blocks[0].dim)

    def __iter__(self) -> Iterator[ReleaseBlock]:
        """The blocks in order."""
        return iter(cast(Iterable[ReleaseBlock], self.blocks))


class ReleaseBlock(Block):
    """A transformer block with everything that the release hangs on it; backbones differ in how they use it.

    Args:
        dim (int): Token dimension C.
        num_tokens (int): Prompts T of the block.
        takes_cache (bool): Whether rows of the memory bank are added to the prompts.
        drop_path (float): Stochastic-depth rate.
        num_heads (int): Heads of the block's attention.
    """

    center_scale: float
    """Weight of the token at the center of a region."""

    propagation_scale: float
    """Weight of what the regions give back to the tokens."""

    def __init__(
        self, dim: int, *, num_tokens: int, takes_cache: bool, drop_path: float, num_heads: int = NUM_HEADS
    ) -> None:
        super().__init__(dim, num_heads=num_heads, drop_path=drop_path)
        self.dim = dim
        self.adapter = ReleaseAdapter(dim, ADAPTER_DIM)
        self.adapter1 = ReleaseAdapter(dim, ADAPTER_DIM)
        self.cp_adapter = ReleaseAdapter(dim, PROMPT_ADAPTER_DIM) if takes_cache else None
        self.out_transform = nn.Sequential(BatchNorm1d(dim), nn.GELU())
        self.prompt_embeddings = nn.Parameter(torch.zeros(num_tokens, dim).normal_(std=PROMPT_STD))
        self.prompt_dropout = nn.Dropout(DROPOUT)
        self.ad_gate = nn.Parameter(torch.zeros(1))

    def prompts(self, cache: Tensor | None) -> Tensor:
        """Prompts (B or 1, T, C) of this block, with the bank's rows (B, T, C) if it takes them."""
        prompts = self.prompt_dropout(self.prompt_embeddings).unsqueeze(0)
        if cache is None or self.cp_adapter is None:
            return prompts
        return prompts + cache + self.cp_adapter(cache)

    def exchange(self, x: Tensor, num_prompts: int, regions: ReleaseRegions, shared: ReleaseStack) -> Tensor:
        """Local interaction on ``[prompts | tokens]`` (B, T+G, C); returns the tokens (B, G, C)."""
        rows = x.flatten(0, 1)  # samples T+G rows apart, addressed by indices that assume G
        near = _rows_at(rows, regions.neighbors)  # (B*S, K, C)
        near = near + self.drop_path(shared.attn1(shared.norm3(rows), regions.neighbors))
        pooled = self.out_transform(max_pool(near, dim=1)) + self.center_scale * rows[regions.anchors]
        pooled = pooled.unflatten(0, (len(x), -1))
        return add_interpolated(
            x[:, num_prompts:], regions.interpolation, pooled, scale=self.propagation_scale
        )


def _rows_at(rows: Tensor, index: Tensor) -> Tensor:
    """Rows (M, C) at ``index`` (R, K) as (R, K, C)."""
    return rows.index_select(0, index.flatten()).unflatten(0, index.shape)


def _interpolation(centers: Tensor, anchors: Tensor) -> Tensor:
    """Row-normalised ``1 / (d^2 + eps)`` with distances by the matmul identity, as released: (B, G, S)."""
    with torch.autocast(centers.device.type, enabled=False):
        squared = -2 * centers @ anchors.transpose(1, 2)
    squared = squared + centers.square().sum(-1, keepdim=True) + anchors.square().sum(-1).unsqueeze(1)
    weights = 1 / (squared + EPS)
    return weights / weights.sum(dim=-1, keepdim=True)
