"""The pre-trained Point-M2AE as the released Point-PEFT evaluates it, number for number (folder M2AE at d8bc13e).

What the release queries its memory bank with, and what such a bank holds. It differs from
``PointM2AE.stage_summaries``, which is the network as its paper describes it:

* masks of pre-training are still propagated back through the stages, so tokens that no later token merges are left out;
* the tokens that remain are packed and filled up with zeros to the longest cloud of the batch; the fillers count in the
  descriptor, and tokens near the origin attend to them, so the descriptor depends on the batch;
* the radius of attention holds only where a filler is involved.

What is repaired because it changes no number: the tokens that nobody merges are not computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..backbones import PointM2AE
from ..ops import gather, squared_distance
from ..registry import MODELS
from ..structures import PointTokens


@MODELS.register_module()
class ReleasePointM2AEPrior(PointM2AE):
    """The encoder of ``Point_M2AE`` with its quirks in evaluation; tensor names are the official ones.

    Args:
        num_groups (Sequence[int]): Tokens of each stage.
        group_size (Sequence[int]): Points of each group, then tokens merged into each token of the later stages.
        init_cfg (dict | None): ``dict(type='Pretrained', checkpoint=...)`` or None.
    """

    def __init__(
        self,
        *,
        num_groups: Sequence[int] = (512, 256, 64),
        group_size: Sequence[int] = (16, 8, 8),
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            num_groups=num_groups, group_size=group_size, stage_norms=True, new_norm=False, init_cfg=init_cfg
        )

    def stage_summaries(self, tokens: PointTokens) -> list[Tensor]:
        """The descriptor (B, C_s) of every stage: mean plus maximum over the packed tokens, fillers included."""
        packs = [Packing.of(visible) for visible in visible_tokens(tokens)]
        x, found = tokens.features, []
        for stage, centers in enumerate(tokens.stage_centers):
            pack = packs[stage]
            if stage:
                index = pack(tokens.coarser[stage - 1].neighbor_index)
                x = self.h_encoder.token_embed[stage](gather(x, packs[stage - 1].position_of(index)))
                x = x * pack.is_token.unsqueeze(-1)
            else:
                x = pack(x)
            places = pack(centers)
            near = squared_distance(places, places) < self.local_radius[stage] ** 2  # (B, L, L)
            allowed = near | (pack.is_token.unsqueeze(2) & pack.is_token.unsqueeze(1))
            pos = self.h_encoder.encoder_pos_embeds[stage](places)
            x = self.h_encoder.encoder_blocks[stage](x, pos, attn_mask=allowed.unsqueeze(1))
            normed = self.h_encoder.close_stage(x, stage)
            found.append(normed.mean(dim=1) + normed.amax(dim=1))
        return found


@dataclass(frozen=True)
class Packing:
    """Where the visible tokens of each cloud stand once the others are taken out.

    Attributes:
        visible (Tensor): (B, G) bool.
        index (Tensor): (B, L) int64, the visible tokens of each cloud in order; L is the most that any cloud has.
        is_token (Tensor): (B, L) bool, False for fillers.
    """

    visible: Tensor
    index: Tensor
    is_token: Tensor

    @classmethod
    def of(cls, visible: Tensor) -> Packing:
        """Pack the tokens marked in (B, G) bool."""
        counts = visible.sum(dim=1)
        index = visible.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, : int(counts.max())]
        return cls(visible, index, torch.arange(index.shape[1], device=index.device) < counts.unsqueeze(1))

    def __call__(self, rows: Tensor) -> Tensor:
        """Rows (B, G, D) of the visible tokens as (B, L, D), with zeros as fillers."""
        return torch.where(self.is_token.unsqueeze(-1), gather(rows, self.index), 0)

    def position_of(self, index: Tensor) -> Tensor:
        """Places among the packed tokens of tokens (B, ...) int64, all visible; fillers may name any token."""
        places = (self.visible.cumsum(dim=1) - 1).clamp_min(0)  # (B, G)
        return places.gather(1, index.flatten(1)).view_as(index)


def visible_tokens(tokens: PointTokens) -> list[Tensor]:
    """Which tokens (B, G_s) bool of each stage are merged into a visible one of the next; of the last stage, all."""
    *earlier, last = tokens.stage_centers
    visible = [last.new_ones(last.shape[:2], dtype=torch.bool)]
    for stage, centers in zip(reversed(tokens.coarser), reversed(earlier)):
        merges = visible[0].long().unsqueeze(-1).expand_as(stage.neighbor_index)  # (B, G_s+1, K)
        count = merges.new_zeros(centers.shape[:2])
        visible.insert(0, count.scatter_add(1, stage.neighbor_index.flatten(1), merges.flatten(1)) > 0)
    return visible
