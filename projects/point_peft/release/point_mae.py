"""The released Point-PEFT on Point-MAE, number for number (EvenJoker/Point-PEFT at d8bc13e, folder MAE).

For running the authors' checkpoints. Known departures from the paper that this file keeps on purpose:

* in the prompted blocks the indices of regions carry the offset of ``b * G`` but address a tensor whose samples are
  ``G + T`` rows apart, so a sample gathers rows of other samples of its batch, and prompts instead of tokens;
* the geometry of those blocks belongs to centers sampled from ``prompt_cor`` and the points together, not to the
  centers at which the tokens were embedded;
* attention in a 3-dimensional head is scaled by ``18 ** -0.5``;
* ``ad_gate``, and the prompts and their bottlenecks of the un-prompted blocks, exist but take no part.

What is repaired because it changes no number: the prior runs without gradient and propagation is a matrix product.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones import PointMAE
from ..backbones.layers import Block, drop_path_rates
from ..backbones.layers.init import init_transformer
from ..ops import farthest_point_sample, gather, group
from ..registry import MODELS
from ..structures import BackboneFeatures

NUM_TOKENS = 10
PROMPTED_BLOCKS = 6
NUM_REGIONS, REGION_SIZE = 64, 16
CENTER_SCALE, PROPAGATION_SCALE, ADAPTER_SCALE = 0.3, 0.3, 0.7
LOCAL_HEADS, LOCAL_DIM = 6, 18
ADAPTER_DIM, PROMPT_ADAPTER_DIM = 16, 8
DROPOUT = 0.1
EPS = 1e-8
TRAINED_BLOCK_PARTS = ('ad_gate', 'prompt_embeddings', 'cp_adapter', 'adapter', 'adapter1', 'out_transform')
TRAINED_BIASES = ('norm1.bias', 'norm2.bias', 'attn.proj.bias', 'mlp.fc1.bias', 'mlp.fc2.bias')


@MODELS.register_module()
class ReleasePointPEFT(BaseModule):
    """``PointTransformer_best`` with its frozen prior ``Point_MAE`` and its memory bank.

    Tensor names are the official ones; the prior stands under ``prior.`` and the bank is ``memory_bank``.

    Args:
        num_groups (int): Groups G per cloud; must be larger than ``NUM_REGIONS``.
        group_size (int): Points per group.
        drop_path_rate (float): Stochastic-depth rate of the last block.
    """

    embed_dim = 384

    def __init__(self, *, num_groups: int = 128, group_size: int = 32, drop_path_rate: float = 0.1) -> None:
        super().__init__()
        plain = PointMAE(num_groups=num_groups, group_size=group_size, drop_path_rate=drop_path_rate)
        self.num_groups, self.group_size = num_groups, group_size
        self.encoder, self.pos_embed, self.norm = plain.encoder, plain.pos_embed, plain.norm
        self.cls_token, self.cls_pos = plain.cls_token, plain.cls_pos
        self.blocks = ReleaseBlocks(drop_path_rates(drop_path_rate, len(plain.layers)))
        self.prompt_cor = nn.Parameter(torch.zeros(NUM_TOKENS, 3).normal_(std=0.02))
        init_transformer(self)
        self.prior = PointMAE(num_groups=64, group_size=32, class_token=False)
        self.memory_bank: Tensor
        self.register_buffer('memory_bank', torch.empty(self.embed_dim, 0))
        self.requires_grad_(False)
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name in self.trained_names())
        self.warned_empty = False

    def trained_names(self) -> set[str]:
        """Parameters that the published rule trains."""
        names = {'cls_token', 'cls_pos', 'prompt_cor', 'norm.weight', 'norm.bias'}
        names |= {
            f'blocks.{name}'
            for name, _ in self.blocks.named_parameters()
            if name.startswith(('attn1.', 'norm3.'))
        }
        for index, block in enumerate(self.blocks.blocks):
            names |= {
                f'blocks.blocks.{index}.{name}'
                for name, _ in block.named_parameters()
                if name.split('.')[0] in TRAINED_BLOCK_PARTS or name in TRAINED_BIASES
            }
        return names

    def forward(self, points: Tensor, *, hidden_layers: Sequence[int] = ()) -> BackboneFeatures:
        """Run the release on clouds (B, N, 3)."""
        groups = group(points, self.num_groups, self.group_size)
        with_prompts = torch.cat([self.prompt_cor.expand(len(points), -1, -1), points], dim=1)
        prompt_centers = gather(with_prompts, farthest_point_sample(with_prompts, self.num_groups))
        regions = [ReleaseRegions(prompt_centers)] * PROMPTED_BLOCKS
        regions += [ReleaseRegions(groups.centers)] * (len(self.blocks.blocks) - PROMPTED_BLOCKS)

        assert self.cls_token is not None and self.cls_pos is not None
        x = torch.cat([self.cls_token.expand(len(points), -1, -1), self.encoder(groups.neighborhoods)], dim=1)
        pos = torch.cat([self.cls_pos.expand(len(points), -1, -1), self.pos_embed(groups.centers)], dim=1)
        cache = self.query_bank(points)
        hidden = {}
        for index, block in enumerate(self.blocks):
            prompts = block.prompts(cache) if index < PROMPTED_BLOCKS else None
            x = block(x + pos, prompts, regions[index], self.blocks)
            if index in hidden_layers:
                hidden[index] = x[:, 1:]
        x = self.norm(x)
        return BackboneFeatures(patches=x[:, 1:], centers=groups.centers, prefix=x[:, :1], hidden=hidden)

    @torch.no_grad()
    def query_bank(self, points: Tensor) -> Tensor | None:
        """The ten rows (B, 10, C) that the release adds to its prompts; None with an empty bank."""
        if not self.memory_bank.shape[1]:
            if not self.warned_empty:
                print_log('the memory bank is empty: prompts are not enhanced.', logger='current', level=30)
                self.warned_empty = True
            return None
        feature = self.prior.summarize(self.prior.embed(points))  # (B, C)
        similarity = F.normalize(feature, dim=1) @ self.memory_bank.to(feature)
        top, index = similarity.topk(NUM_TOKENS - 2, dim=1)
        values = self.memory_bank.to(feature).T[index]  # (B, 8, C)
        attended = top.softmax(dim=1).unsqueeze(1) @ values
        return torch.cat([feature.unsqueeze(1), attended, values], dim=1)

    def train(self, mode: bool = True) -> ReleasePointPEFT:
        """Switch everything but the prior, batch norms of the frozen patch embedding included, as released."""
        super().train(mode)
        self.prior.eval()
        return self

    def base_state(self) -> dict[str, Tensor]:
        """Nothing: release checkpoints are whole."""
        return {}

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Take a bank of any number of columns."""
        bank = state_dict.get(f'{prefix}memory_bank')
        if bank is not None and bank.dim() == 2 and len(bank) == self.embed_dim:
            self.memory_bank = self.memory_bank.new_empty(bank.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


class ReleaseRegions:
    """Regions of some centers (B, G, 3), with indices into a flattened (B * G) tensor.

    Args:
        centers (Tensor): (B, G, 3).
    """

    def __init__(self, centers: Tensor) -> None:
        regions = group(centers, NUM_REGIONS, REGION_SIZE)
        offset = torch.arange(len(centers), device=centers.device) * centers.shape[1]
        self.neighbors = (regions.neighbor_index + offset.view(-1, 1, 1)).flatten(0, 1)  # (B*S, K)
        self.anchors = (regions.center_index + offset.view(-1, 1)).flatten()  # (B*S,)
        self.interpolation = _interpolation(centers, regions.centers)  # (B, G, S)


class ReleaseBlocks(nn.Module):
    """The blocks and the local attention that they share.

    Args:
        drop_path_rates (Sequence[float]): One per block.
    """

    def __init__(self, drop_path_rates: Sequence[float]) -> None:
        super().__init__()
        dim = ReleasePointPEFT.embed_dim
        self.blocks = nn.ModuleList(ReleaseBlock(dim, rate) for rate in drop_path_rates)
        self.attn1 = ReleaseLocalAttention(dim)
        self.norm3 = nn.LayerNorm(dim)

    def __iter__(self) -> Iterator[ReleaseBlock]:
        """The blocks in order."""
        return iter(cast(Iterable[ReleaseBlock], self.blocks))


class ReleaseBlock(Block):
    """A transformer block with everything that the release hangs on it.

    Args:
        dim (int): Token dimension C.
        drop_path (float): Stochastic-depth rate.
    """

    def __init__(self, dim: int, drop_path: float) -> None:
        super().__init__(dim, num_heads=6, drop_path=drop_path)
        self.adapter = ReleaseAdapter(dim, ADAPTER_DIM)
        self.adapter1 = ReleaseAdapter(dim, ADAPTER_DIM)
        self.cp_adapter = ReleaseAdapter(dim, PROMPT_ADAPTER_DIM)
        self.out_transform = nn.Sequential(nn.BatchNorm1d(dim), nn.GELU())
        self.prompt_embeddings = nn.Parameter(torch.zeros(NUM_TOKENS, dim).normal_(std=0.02))
        self.prompt_dropout = nn.Dropout(DROPOUT)
        self.ad_gate = nn.Parameter(torch.zeros(1))

    def prompts(self, cache: Tensor | None) -> Tensor:
        """Prompts (B or 1, 10, C) of this block from the bank's rows (B, 10, C)."""
        prompts = self.prompt_dropout(self.prompt_embeddings).unsqueeze(0)
        return prompts if cache is None else prompts + cache + self.cp_adapter(cache)

    def forward(  # type: ignore[override]
        self, x: Tensor, prompts: Tensor | None, regions: ReleaseRegions, shared: ReleaseBlocks
    ) -> Tensor:
        """Map ``[class token | tokens]`` (B, 1+G, C) to the same shape."""
        num_prompts = 0 if prompts is None else prompts.shape[1]
        if prompts is not None:
            x = torch.cat([x[:, :1], prompts.expand(len(x), -1, -1), x[:, 1:]], dim=1)
        x = x + self.attn(self.norm1(x))
        branch = self.drop_path(self.mlp(self.norm2(x)))
        x = x + branch + ADAPTER_SCALE * self.adapter(branch)
        tokens = self._exchange(x[:, 1:], num_prompts, regions, shared)
        x = torch.cat([x[:, :1], tokens], dim=1)
        return x + self.adapter1(x)

    def _exchange(
        self, x: Tensor, num_prompts: int, regions: ReleaseRegions, shared: ReleaseBlocks
    ) -> Tensor:
        """Local interaction on ``[prompts | tokens]`` (B, T+G, C); returns the tokens (B, G, C)."""
        rows = x.flatten(0, 1)  # samples T+G rows apart, addressed by indices that assume G
        near = rows[regions.neighbors]  # (B*S, K, C)
        near = near + self.drop_path(shared.attn1(shared.norm3(near)))
        pooled = near.amax(dim=1)
        pooled = self.out_transform(pooled) + CENTER_SCALE * rows[regions.anchors]
        pooled = pooled.view(len(x), NUM_REGIONS, -1)
        return torch.baddbmm(x[:, num_prompts:], regions.interpolation, pooled, alpha=PROPAGATION_SCALE)


class ReleaseAdapter(nn.Module):
    """Bottleneck with quick GELU, without a residual; names as released.

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

    def forward(self, x: Tensor) -> Tensor:
        """Map (B*S, K, C) to (B*S, K, C)."""
        q, k, v = self.qkv(x).view(*x.shape[:2], 3, LOCAL_HEADS, -1).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(q, k, v, scale=LOCAL_DIM**-0.5)
        return self.proj(x.transpose(1, 2).flatten(2))


def _interpolation(centers: Tensor, anchors: Tensor) -> Tensor:
    """Row-normalised ``1 / (d^2 + eps)`` with distances by the matmul identity, as released: (B, G, S)."""
    squared = -2 * centers @ anchors.transpose(1, 2)
    squared = squared + centers.square().sum(-1, keepdim=True) + anchors.square().sum(-1).unsqueeze(1)
    weights = 1 / (squared + EPS)
    return weights / weights.sum(dim=-1, keepdim=True)
