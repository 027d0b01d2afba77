"""Agreement of two views of an object."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...backbones import PlainTransformer
from ...registry import MODELS
from ...structures import PointDataSample
from .base import GroupView, Objective


@MODELS.register_module()
class ViewObjective(Objective):
    """Find the other view of each cloud, its hidden groups, among those of the batch (InfoNCE, both ways).

    Args:
        backbone (PlainTransformer): The encoder.
        hidden_dim (int): Width of the projection's hidden layer.
        out_dim (int): Dimension in which views are compared.
        temperature (float): Divides the cosines.
        weight (float): Factor of the loss in the sum.

    Source: Chen et al., SimCLR (ICML 2020), section 2.1.
    """

    num_views = 2

    def __init__(
        self,
        backbone: PlainTransformer,
        *,
        hidden_dim: int = 256,
        out_dim: int = 128,
        temperature: float = 0.1,
        weight: float = 1.0,
    ) -> None:
        super().__init__(weight)
        self.temperature = temperature
        self.project = nn.Sequential(
            nn.Linear(2 * backbone.embed_dim, hidden_dim),
            nn.BatchNorm1d(hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, out_dim),
        )

    def forward(self, views: Sequence[GroupView], samples: Sequence[PointDataSample]) -> Tensor:
        """Mean of the two cross-entropies over the batch."""
        first, second = (F.normalize(self.project(view.pooled), dim=-1) for view in views)
        cosines = first @ second.T / self.temperature  # (B, B)
        own = torch.arange(len(cosines), device=cosines.device)
        return (F.cross_entropy(cosines, own) + F.cross_entropy(cosines.T, own)) / 2
