"""The decoder of Point-M2AE."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...backbones import AnyBackbone
from ...backbones.layers import BatchNorm1d
from ...ops import max_pool
from ...registry import MODELS
from ...structures import BackboneFeatures
from .base import PartSegHead
from .plain import embed_label, label_embedding
from .propagation import FeaturePropagation, pointwise


@MODELS.register_module()
class HierarchicalPartSegHead(PartSegHead):
    """Carry the tokens of every stage to the points, and join them with what they say about the whole object.

    Tensor names are the official ones (Point-M2AE, ``segmentation/Point_M2AE_SEG.py``).

    Args:
        backbone (AnyBackbone): The backbone.
        parts_per_category (Sequence[int]): Number of parts of every category.
        propagation_dims (Sequence[int]): Widths of each propagation.
        label_dim (int): Channels of the embedded category.
        dims (Sequence[int]): Widths of the three hidden layers.
        dropout (float): Dropout after the first hidden layer.
    """

    def __init__(
        self,
        backbone: AnyBackbone,
        parts_per_category: Sequence[int],
        *,
        propagation_dims: Sequence[int] = (1536, 1024),
        label_dim: int = 64,
        dims: Sequence[int] = (1024, 512, 256),
        dropout: float = 0.5,
    ) -> None:
        super().__init__(backbone, parts_per_category)
        self.label_conv = label_embedding(self.num_categories, label_dim)
        self.propagations = nn.ModuleList(
            FeaturePropagation(3, width, propagation_dims) for width in self.stage_widths
        )
        joined = propagation_dims[-1] * len(self.stages)
        self.convs1 = nn.Conv1d(2 * joined + label_dim, dims[0], 1)
        self.bns1 = BatchNorm1d(dims[0])
        self.dp1 = nn.Dropout(dropout)
        self.convs2 = nn.Conv1d(dims[0], dims[1], 1)
        self.bns2 = BatchNorm1d(dims[1])
        self.convs3 = nn.Conv1d(dims[1], dims[2], 1)
        self.bns3 = BatchNorm1d(dims[2])
        self.convs4 = nn.Conv1d(dims[2], self.num_parts, 1)

    def decode(self, features: BackboneFeatures, points: Tensor, category: Tensor) -> Tensor:
        """Decode; see :meth:`PartSegHead.decode`."""
        stages = zip(self.propagations, features.tokens.stage_centers, features.joined(self.stages))
        carried = [propagate(points, centers, points, tokens) for propagate, centers, tokens in stages]
        x = torch.cat(carried, dim=-1)  # (B, N, 3 * 1024)
        label = embed_label(self.label_conv, self.one_hot(category, x))
        whole = torch.cat([max_pool(x, dim=1) + x.mean(dim=1), label], dim=1)
        on_whole, on_local = self.convs1.weight.squeeze(-1).split([whole.shape[1], x.shape[-1]], dim=1)
        x = F.linear(x, on_local) + F.linear(whole, on_whole, self.convs1.bias).unsqueeze(1)
        x = self.dp1(F.relu(self.bns1(x.flatten(0, 1))))
        x = F.relu(self.bns2(pointwise(self.convs2, x)))
        x = F.relu(self.bns3(pointwise(self.convs3, x)))
        return pointwise(self.convs4, x).unflatten(0, points.shape[:2])
