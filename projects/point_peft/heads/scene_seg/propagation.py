"""The decoder that carries tokens to the points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...backbones import AnyBackbone
from ...backbones.layers import BatchNorm1d
from ...ops import max_pool
from ...registry import MODELS
from ..part_seg.plain import joint_layer
from ..part_seg.propagation import FeaturePropagation, pointwise
from .base import SceneSegHead


@MODELS.register_module()
class PropagationSceneSegHead(SceneSegHead):
    """Carry tokens to the points, join them with the points' own features and with what they say about the block.

    This is the decoder of Point-MAE's part segmentation, with classes in place of parts, without the category of an
    object, and with the points' own features in place of their coordinates. A hierarchy has one propagation per stage.

    Args:
        backbone (AnyBackbone): The backbone.
        num_classes (int): Number of classes.
        propagation_dims (Sequence[int]): Widths of each propagation.
        dims (Sequence[int]): Widths of the two hidden layers.
        dropout (float): Dropout after the first hidden layer.
        kwargs: Arguments of :class:`SceneSegHead`.
    """

    def __init__(
        self,
        backbone: AnyBackbone,
        num_classes: int,
        *,
        propagation_dims: Sequence[int] = (1536, 1024),
        dims: Sequence[int] = (512, 256),
        dropout: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(backbone, num_classes, **kwargs)
        self.propagations = nn.ModuleList(
            FeaturePropagation(self.point_channels, width, propagation_dims) for width in self.stage_widths
        )
        joined = propagation_dims[-1] * len(self.stages) + 2 * sum(self.stage_widths)
        self.conv1 = nn.Conv1d(joined, dims[0], 1)
        self.norm1 = BatchNorm1d(dims[0])
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv1d(dims[0], dims[1], 1)
        self.norm2 = BatchNorm1d(dims[1])
        self.classify = nn.Conv1d(dims[1], num_classes, 1)

    def decode(
        self, tokens: Sequence[Tensor], centers: Sequence[Tensor], points: Tensor, point_features: Tensor
    ) -> Tensor:
        """Decode; see :meth:`SceneSegHead.decode`."""
        local = [
            propagate(points, places, point_features, x)
            for propagate, places, x in zip(self.propagations, centers, tokens)
        ]
        whole = [pooled for x in tokens for pooled in (max_pool(x, dim=1), x.mean(dim=1))]
        x = joint_layer(self.conv1, torch.cat(local, dim=-1), torch.cat(whole, dim=-1))  # (B, N, 512)
        x = self.dropout(F.relu(self.norm1(x.flatten(0, 1))))
        x = F.relu(self.norm2(pointwise(self.conv2, x)))
        return pointwise(self.classify, x).unflatten(0, points.shape[:2])
