"""The released Point-PEFT on Point-MAE, number for number (EvenJoker/Point-PEFT at d8bc13e, folder MAE).

For running the authors' checkpoints. Known departures from the paper that are kept on purpose:

* in the prompted blocks the indices of regions carry the offset of ``b * G`` but address a tensor whose samples are
  ``G + T`` rows apart, so a sample gathers rows of other samples of its batch, and prompts instead of tokens;
* the geometry of those blocks belongs to centers sampled from ``prompt_cor`` and the points together, not to the
  centers at which the tokens were embedded;
* attention in a 3-dimensional head is scaled by ``18 ** -0.5``;
* ``ad_gate``, and the prompts and their bottlenecks of the un-prompted blocks, exist but take no part.

What is repaired because it changes no number: the prior runs without gradient, propagation is a matrix product, and
queries, keys and values of the local attention are computed once per token, before the neighbours are gathered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..backbones import PointMAE
from ..backbones.layers import drop_path_rates
from ..backbones.layers.init import init_transformer
from ..ops import group
from ..registry import MODELS
from ..structures import BackboneFeatures, PointTokens
from .base import ReleaseModel
from .parts import NUM_HEADS, PROMPT_STD, ReleaseBlock, ReleaseRegions, ReleaseStack

NUM_TOKENS = 10
REGION_SIZE = 16
CENTER_SCALE, PROPAGATION_SCALE, ADAPTER_SCALE = 0.3, 0.3, 0.7


@MODELS.register_module()
class ReleasePointPEFT(ReleaseModel):
    """``PointTransformer_best`` with its frozen prior ``Point_MAE`` and its memory bank.

    Tensor names are the official ones; the prior stands under ``prior.`` and the bank is ``memory_bank``.

    Args:
        num_groups (int): Groups G per cloud; at least ``num_regions``.
        group_size (int): Points per group.
        drop_path_rate (float): Stochastic-depth rate of the last block.
        num_regions (int): Regions of the local interaction.
        prior (dict | None): Arguments of the prior, a ``PointMAE``, that differ from pre-training, such as ``init_cfg``
            or ``num_groups``; with pre-trained weights of its own it gives them to the network.
        embed_dim (int): Token dimension C of network and prior.
        depth (int): Their blocks; the first half is prompted.
        num_heads (int): Their attention heads.
        patch_dims (Sequence[int]): Widths of their patch embeddings' PointNets.
    """

    num_tokens = NUM_TOKENS
    num_prefix_tokens = 1

    def __init__(
        self,
        *,
        num_groups: int = 128,
        group_size: int = 32,
        drop_path_rate: float = 0.1,
        num_regions: int = 64,
        prior: dict[str, Any] | None = None,
        embed_dim: int = 384,
        depth: int = 12,
        num_heads: int = NUM_HEADS,
        patch_dims: Sequence[int] = (128, 256, 512),
    ) -> None:
        super().__init__()
        sizes: dict[str, Any] = dict(
            embed_dim=embed_dim, depth=depth, num_heads=num_heads, patch_dims=patch_dims
        )
        plain = PointMAE(num_groups=num_groups, group_size=group_size, drop_path_rate=drop_path_rate, **sizes)
        self.num_groups, self.group_size, self.num_regions = num_groups, group_size, num_regions
        self.encoder, self.pos_embed, self.norm = plain.encoder, plain.pos_embed, plain.norm
        self.cls_token, self.cls_pos = plain.get_parameter('cls_token'), plain.get_parameter('cls_pos')
        rates = drop_path_rates(drop_path_rate, len(plain.layers))
        self.blocks = ReleaseStack(
            [PointMAEBlock(plain.embed_dim, drop_path=rate, num_heads=num_heads) for rate in rates]
        )
        self.prompt_cor = nn.Parameter(torch.zeros(NUM_TOKENS, 3).normal_(std=PROMPT_STD))
        init_transformer(self)
        self.add_prior(
            PointMAE(**{'num_groups': 64, 'group_size': 32, 'class_token': False, **sizes, **(prior or {})})
        )

    def init_weights(self) -> None:
        """Initialise; with pre-trained weights in the prior, the network starts from them too."""
        super().init_weights()
        if self.prior.checkpoint:
            self.load_state_dict({**self.state_dict(), **self.prior.state_dict()})

    def forward(self, points: Tensor, *, hidden_layers: Sequence[int] = ()) -> BackboneFeatures:
        """Run the release on clouds (B, N, 3)."""
        groups = group(points, self.num_groups, self.group_size)
        tokens = PointTokens(self.encoder(groups.neighborhoods), *groups[:3])
        prompt_centers = self.prompt_centers(points, self.num_groups)
        prompted = len(self.blocks.blocks) // 2
        regions = [ReleaseRegions(prompt_centers, self.num_regions, REGION_SIZE)] * prompted
        unprompted = len(self.blocks.blocks) - prompted
        regions += [ReleaseRegions(tokens.centers, self.num_regions, REGION_SIZE)] * unprompted

        x = torch.cat([self.cls_token.expand(len(points), -1, -1), tokens.features], dim=1)
        pos = torch.cat([self.cls_pos.expand(len(points), -1, -1), self.pos_embed(tokens.centers)], dim=1)
        cache = self.query_bank(points)
        hidden = {}
        for index, block in enumerate(self.blocks):
            prompts = block.prompts(cache) if index < prompted else None
            x = block(x + pos, prompts, regions[index], self.blocks)
            if index in hidden_layers:
                hidden[index] = x[:, 1:]
        x = self.norm(x)
        return BackboneFeatures(patches=x[:, 1:], tokens=tokens, prefix=x[:, :1], hidden=hidden)


class PointMAEBlock(ReleaseBlock):
    """The release's block of a plain transformer.

    Args:
        dim (int): Token dimension C.
        drop_path (float): Stochastic-depth rate.
        num_heads (int): Heads of the block's attention.
    """

    center_scale, propagation_scale = CENTER_SCALE, PROPAGATION_SCALE

    def __init__(self, dim: int, *, drop_path: float, num_heads: int) -> None:
        super().__init__(
            dim, num_tokens=NUM_TOKENS, takes_cache=True, drop_path=drop_path, num_heads=num_heads
        )

    def forward(  # type: ignore[override]
        self, x: Tensor, prompts: Tensor | None, regions: ReleaseRegions, shared: ReleaseStack
    ) -> Tensor:
        """Map ``[class token | tokens]`` (B, 1+G, C) to the same shape."""
        num_prompts = 0 if prompts is None else prompts.shape[1]
        if prompts is not None:
            x = torch.cat([x[:, :1], prompts.expand(len(x), -1, -1), x[:, 1:]], dim=1)
        x = x + self.attn(self.norm1(x))
        branch = self.drop_path(self.mlp(self.norm2(x)))
        x = x + branch + ADAPTER_SCALE * self.adapter(branch)
        tokens = self.exchange(x[:, 1:], num_prompts, regions, shared)
        x = torch.cat([x[:, :1], tokens], dim=1)
        return x + self.adapter1(x)
