"""The released Point-PEFT on Point-M2AE, number for number (EvenJoker/Point-PEFT at d8bc13e, folder M2AE).

For running the authors' checkpoints. Known departures from the paper that are kept on purpose:

* the indices of regions carry the offset of ``b * G`` but address a tensor whose samples are ``G + T`` rows apart, in
  all blocks, so a sample gathers rows of other samples of its batch, and prompts instead of tokens;
* the regions belong to centers sampled from ``prompt_cor`` and the points together, not to the centers at which the
  tokens were embedded and attend to each other;
* prompts stand in front of the tokens, but the radius of attention is laid over the sequence from its start: the first
  prompts are held to the radius of the first tokens, and so on, and the last tokens are free of it;
* the gate of a block's feed-forward branch starts at 0, which switches the pre-trained branch off until it is trained;
* attention in a 3-dimensional head is scaled by ``18 ** -0.5``;
* only the last stage sees the memory bank; the prior's descriptor depends on the batch (``point_m2ae_prior.py``).

What is repaired because it changes no number: the prior runs without gradient, propagation is a matrix product,
queries, keys and values of the local attention are computed once per token, before the neighbours are gathered, and of
the second hierarchy only what is used is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones import PointM2AE
from ..backbones.layers import drop_path_rates
from ..backbones.layers.init import init_transformer
from ..backbones.point_m2ae import merged_stages
from ..ops import gather, group, squared_distance
from ..registry import MODELS
from ..structures import BackboneFeatures, PointTokens
from .base import ReleaseModel
from .parts import PROMPT_STD, ReleaseBlock, ReleaseRegions, ReleaseStack
from .point_m2ae_prior import ReleasePointM2AEPrior

NUM_TOKENS = 16
LAST_REGIONS, LAST_REGION_SIZE = 32, 16
CENTER_SCALE, PROPAGATION_SCALE = 0.3, 0.2


@MODELS.register_module()
class ReleasePointPEFTM2AE(ReleaseModel):
    """``PointTransformer_best`` of the folder M2AE with its frozen prior ``Point_M2AE`` and its memory bank.

    Tensor names are the official ones; the prior stands under ``prior.`` and the bank is ``memory_bank``.

    Args:
        num_groups (Sequence[int]): Tokens of each stage; at least ``LAST_REGIONS`` in the last.
        group_size (Sequence[int]): Points of each group, then tokens merged into each token of the later stages, which
            is also the size of the earlier stages' regions.
        local_radius (Sequence[float]): Radius of attention in each stage, in the units of the cloud.
        drop_path_rate (float): Stochastic-depth rate of the last block.
        prior (dict | None): Arguments of ``ReleasePointM2AEPrior`` that differ from pre-training.
    """

    num_tokens = NUM_TOKENS
    num_prefix_tokens = 0

    def __init__(
        self,
        *,
        num_groups: Sequence[int] = (512, 256, 64),
        group_size: Sequence[int] = (32, 16, 16),
        local_radius: Sequence[float] = (0.32, 0.64, 1.28),
        drop_path_rate: float = 0.1,
        prior: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        plain = PointM2AE(num_groups=num_groups, group_size=group_size, drop_path_rate=drop_path_rate)
        self.num_groups, self.group_size = tuple(num_groups), tuple(group_size)
        self.local_radius = tuple(local_radius)
        self.encoders, self.pos_embeds = plain.h_encoder.token_embed, plain.h_encoder.encoder_pos_embeds
        self.norm = plain.final_norm()
        rates = drop_path_rates(drop_path_rate, sum(plain.depths))
        self.blocks = nn.ModuleList()
        for stage, dim in enumerate(plain.embed_dims):
            takes_cache = stage == len(plain.embed_dims) - 1
            blocks = [
                PointM2AEBlock(dim, takes_cache=takes_cache, drop_path=rate)
                for rate, of_stage in zip(rates, plain.layer_stages)
                if of_stage == stage
            ]
            self.blocks.append(ReleaseStack(blocks))
        self.prompt_cor = nn.Parameter(torch.zeros(NUM_TOKENS, 3).normal_(std=PROMPT_STD))
        init_transformer(self)
        self.add_prior(ReleasePointM2AEPrior(**(prior or {})))

    @property
    def stages(self) -> Sequence[ReleaseStack]:
        """The blocks of each stage."""
        return cast(Sequence[ReleaseStack], self.blocks)

    def forward(self, points: Tensor, *, hidden_layers: Sequence[int] = ()) -> BackboneFeatures:
        """Run the release on clouds (B, N, 3)."""
        tokens = self.embed(points)
        prompt_centers = self.prompt_centers(points, self.num_groups[0])
        cache = self.query_bank(points)
        x, index = tokens.features, 0
        hidden = {}
        for stage, (centers, stack) in enumerate(zip(tokens.stage_centers, self.stages)):
            if stage:
                x = self.encoders[stage](gather(x, tokens.coarser[stage - 1].neighbor_index))
            pos = self.pos_embeds[stage](centers)
            allowed = shifted_mask(centers, self.local_radius[stage])
            regions = self.regions(prompt_centers, stage)
            for block in stack:
                x = block(x + pos, block.prompts(cache), allowed, regions, stack)
                if index in hidden_layers:
                    hidden[index] = x
                index += 1
        x = self.norm(x)
        return BackboneFeatures(patches=x, tokens=tokens, prefix=x[:, :0], hidden=hidden)

    def embed(self, points: Tensor) -> PointTokens:
        """Group clouds (B, N, 3), embed the groups, and find which tokens the later stages merge."""
        groups = group(points, self.num_groups[0], self.group_size[0])
        coarser = merged_stages(groups.centers, self.num_groups[1:], self.group_size[1:])
        return PointTokens(self.encoders[0](groups.neighborhoods), *groups[:3], coarser=coarser)

    def regions(self, prompt_centers: Tensor, stage: int) -> ReleaseRegions:
        """Regions of a stage around the centers of the next, out of ``prompt_centers`` (B, G_0, 3)."""
        counts = (*self.num_groups[1:], LAST_REGIONS)
        sizes = (*self.group_size[1:], LAST_REGION_SIZE)
        return ReleaseRegions(prompt_centers[:, : self.num_groups[stage]], counts[stage], sizes[stage])


class PointM2AEBlock(ReleaseBlock):
    """The release's block of a hierarchical transformer.

    Args:
        dim (int): Token dimension C.
        takes_cache (bool): Whether rows of the memory bank are added to the prompts.
        drop_path (float): Stochastic-depth rate.
    """

    center_scale, propagation_scale = CENTER_SCALE, PROPAGATION_SCALE

    def __init__(self, dim: int, *, takes_cache: bool, drop_path: float) -> None:
        super().__init__(dim, num_tokens=NUM_TOKENS, takes_cache=takes_cache, drop_path=drop_path)

    def forward(  # type: ignore[override]
        self, x: Tensor, prompts: Tensor, allowed: Tensor, regions: ReleaseRegions, shared: ReleaseStack
    ) -> Tensor:
        """Map tokens (B, G, C) to the same shape; ``allowed`` (B, 1, T+G, T+G) is where they may attend."""
        x = torch.cat([prompts.expand(len(x), -1, -1), x], dim=1)
        x = x + self.attn(self.norm1(x), allowed)
        branch = self.drop_path(self.mlp(self.norm2(x)))
        x = x + self.ad_gate * (branch + self.adapter(branch))
        x = self.exchange(x, NUM_TOKENS, regions, shared)
        return x + self.adapter1(x)


def shifted_mask(centers: Tensor, radius: float) -> Tensor:
    """Where ``[prompts | tokens]`` may attend (B, 1, T+G, T+G): the radius, laid as if the prompts came last."""
    near = squared_distance(centers, centers) < radius**2
    return F.pad(near, (0, NUM_TOKENS, 0, NUM_TOKENS), value=True).unsqueeze(1)
