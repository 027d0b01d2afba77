"""The decoder of linear probing: what the frozen tokens tell by themselves."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...backbones import AnyBackbone
from ...backbones.layers import BatchNorm1d
from ...ops import interpolate
from ...registry import MODELS
from ...structures import BackboneFeatures
from .base import PartSegHead


@MODELS.register_module()
class LinearPartSegHead(PartSegHead):
    """Carry the tokens of some blocks to the points, and classify them linearly together with the category.

    A batch norm without affine parameters puts the frozen features on one scale.

    Args:
        backbone (AnyBackbone): The backbone.
        parts_per_category (Sequence[int]): Number of parts of every category.
    """

    def __init__(
        self,
        backbone: AnyBackbone,
        parts_per_category: Sequence[int],
    ) -> None:
        super().__init__(backbone, parts_per_category)
        width = sum(self.stage_widths)
        self.norm = BatchNorm1d(width, affine=False)
        self.on_tokens = nn.Linear(width, self.num_parts)
        self.on_category = nn.Linear(self.num_categories, self.num_parts, bias=False)

    def decode(self, features: BackboneFeatures, points: Tensor, category: Tensor) -> Tensor:
        """Decode; see :meth:`PartSegHead.decode`."""
        stages = zip(features.tokens.stage_centers, features.joined(self.stages))
        x = torch.cat(
            [interpolate(points, centers, tokens) for centers, tokens in stages], dim=-1
        )  # (B, N, W)
        logits = self.on_tokens(self.norm(x.flatten(0, 1))).unflatten(0, points.shape[:2])
        return logits + self.on_category(self.one_hot(category, x)).unsqueeze(1)
