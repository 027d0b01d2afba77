"""The decoder of linear probing: what the frozen tokens tell by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...backbones import AnyBackbone
from ...backbones.layers import BatchNorm1d
from ...ops import interpolate
from ...registry import MODELS
from .base import SceneSegHead


@MODELS.register_module()
class LinearSceneSegHead(SceneSegHead):
    """Carry tokens to the points, and classify them linearly together with the points' own features.

    A batch norm without affine parameters puts the features on one scale.

    Args:
        backbone (AnyBackbone): The backbone.
        num_classes (int): Number of classes.
        kwargs: Arguments of :class:`SceneSegHead`.
    """

    def __init__(self, backbone: AnyBackbone, num_classes: int, **kwargs: Any) -> None:
        super().__init__(backbone, num_classes, **kwargs)
        width = self.point_channels + sum(self.stage_widths)
        self.norm = BatchNorm1d(width, affine=False)
        self.classify = nn.Linear(width, num_classes)

    def decode(
        self, tokens: Sequence[Tensor], centers: Sequence[Tensor], points: Tensor, point_features: Tensor
    ) -> Tensor:
        """Decode; see :meth:`SceneSegHead.decode`."""
        carried = [interpolate(points, places, x) for places, x in zip(centers, tokens)]  # (B, N, W_s) each
        x = torch.cat([point_features, *carried], dim=-1)
        return self.classify(self.norm(x.flatten(0, 1))).unflatten(0, points.shape[:2])
