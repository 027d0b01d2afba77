"""The decoder of linear probing: what the frozen tokens tell by themselves."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...backbones.layers import BatchNorm1d
from ...ops import interpolate_with, interpolation_matrix
from ...registry import MODELS
from ...structures import BackboneFeatures
from .base import PartSegHead


@MODELS.register_module()
class LinearPartSegHead(PartSegHead):
    """Carry the tokens of some blocks to the points, and classify them linearly together with the category.

    A batch norm without affine parameters puts the frozen features on one scale.

    Args:
        parts_per_category (Sequence[int]): Number of parts of every category.
        embed_dim (int): Token dimension C, of every block unless ``hidden_dims`` says otherwise.
        hidden_layers (Sequence[int]): Blocks whose tokens are carried; of a hierarchy the last of each stage.
        hidden_dims (Sequence[int] | None): Token dimension of these blocks.
    """

    def __init__(
        self,
        parts_per_category: Sequence[int],
        *,
        embed_dim: int = 384,
        hidden_layers: Sequence[int] = (3, 7, 11),
        hidden_dims: Sequence[int] | None = None,
    ) -> None:
        super().__init__(parts_per_category, hidden_layers=hidden_layers)
        width = sum(hidden_dims or [embed_dim] * len(self.hidden_layers))
        self.norm = BatchNorm1d(width, affine=False)
        self.on_tokens = nn.Linear(width, self.num_parts)
        self.on_category = nn.Linear(self.num_categories, self.num_parts, bias=False)

    def forward(self, features: BackboneFeatures, points: Tensor, category: Tensor) -> Tensor:
        """Decode; see :meth:`PartSegHead.forward`."""
        weights = {
            centers.shape[1]: interpolation_matrix(points, centers)
            for centers in features.tokens.stage_centers
        }
        hidden = [features.hidden[layer] for layer in self.hidden_layers]  # each (B, G_s, C_s)
        x = torch.cat([interpolate_with(weights[x.shape[1]], x) for x in hidden], dim=-1)  # (B, N, W)
        logits = self.on_tokens(self.norm(x.flatten(0, 1))).unflatten(0, points.shape[:2])
        return logits + self.on_category(self.one_hot(category, x)).unsqueeze(1)
