"""Reconstruction of hidden groups."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...backbones import PlainTransformer
from ...backbones.layers import BlockStack, position_mlp
from ...ops import chamfer_distance, gather
from ...registry import MODELS
from ...structures import PointDataSample
from .base import GroupView, Objective


@MODELS.register_module()
class MaskedObjective(Objective):
    """Rebuild the points of hidden groups from the seen ones, by a small decoder.

    As in Point-MAE, with a narrower decoder and with only some of the hidden groups, since this is one objective of
    several.

    Args:
        backbone (PlainTransformer): The encoder.
        decoder_dim (int): Token dimension of the decoder.
        decoder_depth (int): Blocks of the decoder.
        decoder_num_heads (int): Attention heads of the decoder.
        num_targets (int): Hidden groups that are rebuilt per cloud, at most.
        weight (float): Factor of the loss in the sum.

    Source: Pang et al., Point-MAE (ECCV 2022), section 3.
    """

    def __init__(
        self,
        backbone: PlainTransformer,
        *,
        decoder_dim: int = 96,
        decoder_depth: int = 1,
        decoder_num_heads: int = 3,
        num_targets: int = 16,
        weight: float = 1.0,
    ) -> None:
        super().__init__(weight)
        self.num_targets = num_targets
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder_dim))
        self.reduce = nn.Linear(backbone.embed_dim, decoder_dim)
        self.position = position_mlp(decoder_dim)
        self.decoder = BlockStack(decoder_dim, depth=decoder_depth, num_heads=decoder_num_heads)
        self.norm = nn.LayerNorm(decoder_dim)
        self.rebuild = nn.Linear(decoder_dim, 3 * backbone.group_size)

    def forward(self, views: Sequence[GroupView], samples: Sequence[PointDataSample]) -> Tensor:
        """Chamfer distance of rebuilt and true groups, in units of the groups' mean squared radius."""
        view = views[0]
        batch, num_hidden = view.hidden.shape
        if num_hidden == 0:
            return view.tokens.sum() * 0
        chosen = torch.rand(view.hidden.shape, device=view.hidden.device).argsort(dim=1)[
            :, : self.num_targets
        ]
        target = view.hidden.gather(1, chosen)  # (B, T)
        tokens = torch.cat([self.reduce(view.tokens), self.mask_token.expand(*target.shape, -1)], dim=1)
        centers = gather(view.groups.centers, torch.cat([view.seen, target], dim=1))
        tokens = self.decoder(tokens, self.position(centers))[:, -target.shape[1] :]
        rebuilt = self.rebuild(self.norm(tokens)).reshape(
            -1, self.rebuild.out_features // 3, 3
        )  # (B*T, K, 3)
        truth = gather(view.groups.neighborhoods.flatten(2), target).reshape_as(rebuilt)
        return chamfer_distance(rebuilt, truth) / truth.square().sum(-1).mean().clamp_min(1e-9)
