"""The decoder of Point-MAE, ReCon and PointGPT."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...backbones import AnyBackbone
from ...backbones.layers import BatchNorm1d
from ...io.errors import InvalidValueError
from ...ops import max_pool
from ...registry import MODELS
from ...structures import BackboneFeatures
from .base import PartSegHead
from .propagation import FeaturePropagation, pointwise


@MODELS.register_module()
class PlainPartSegHead(PartSegHead):
    """Join the tokens of several blocks, carry them to the points, and add what they say about the whole object.

    Tensor names are the official ones (Point-MAE, ``segmentation/models/pt.py``). What is the same for all points of an
    object goes through the first layer once per object.

    Args:
        backbone (AnyBackbone): The backbone, without hierarchy.
        parts_per_category (Sequence[int]): Number of parts of every category.
        propagation_dims (Sequence[int]): Widths of the propagation.
        label_dim (int): Channels of the embedded category.
        dims (Sequence[int]): Widths of the two hidden layers.
        prefix (bool): Whether the maximum over the un-normed prefix tokens is joined too; ReCon: yes.
        inserted (bool): Whether maximum and mean are over the tokens of tuning methods in these blocks too; PPT: yes.
        dropout (float): Dropout after the first hidden layer.
    """

    def __init__(
        self,
        backbone: AnyBackbone,
        parts_per_category: Sequence[int],
        *,
        propagation_dims: Sequence[int] = (1536, 1024),
        label_dim: int = 64,
        dims: Sequence[int] = (512, 256),
        prefix: bool = False,
        inserted: bool = False,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(backbone, parts_per_category)
        joined = self.single_stage_width()
        self.prefix, self.inserted = prefix, inserted
        self.label_conv = label_embedding(self.num_categories, label_dim)
        self.propagation_0 = FeaturePropagation(3, joined, propagation_dims)
        self.local_dim = propagation_dims[-1]
        width = self.local_dim + 2 * joined + backbone.embed_dim * prefix + label_dim
        self.convs1 = nn.Conv1d(width, dims[0], 1)
        self.bns1 = BatchNorm1d(dims[0])
        self.dp1 = nn.Dropout(dropout)
        self.convs2 = nn.Conv1d(dims[0], dims[1], 1)
        self.bns2 = BatchNorm1d(dims[1])
        self.convs3 = nn.Conv1d(dims[1], self.num_parts, 1)

    def decode(self, features: BackboneFeatures, points: Tensor, category: Tensor) -> Tensor:
        """Decode; see :meth:`PartSegHead.decode`."""
        (x,) = features.joined(self.stages)  # (B, G, 3C)
        whole = self.describe(features, x)
        if self.prefix:
            whole.append(self._raw_prefix(features).amax(dim=1))
        whole.append(embed_label(self.label_conv, self.one_hot(category, x)))
        local = self.propagation_0(points, features.centers, points, x)  # (B, N, 1024)
        x = joint_layer(self.convs1, local, torch.cat(whole, dim=1))  # (B, N, 512)
        x = self.dp1(F.relu(self.bns1(x.flatten(0, 1))))
        x = F.relu(self.bns2(pointwise(self.convs2, x)))
        return pointwise(self.convs3, x).unflatten(0, points.shape[:2])

    def describe(self, features: BackboneFeatures, x: Tensor) -> list[Tensor]:
        """What joined tokens (B, G, 3C) say of the whole object: (B, W) each, together 6C wide."""
        if self.inserted:
            x = torch.cat([x, features.joined_inserted(self.stages[0])], dim=1)
        return [max_pool(x, dim=1), x.mean(dim=1)]

    def _raw_prefix(self, features: BackboneFeatures) -> Tensor:
        """Prefix tokens (B, P, C) before the final norm.

        Raises:
            ValueError: If the backbone has none.
        """
        if features.raw_prefix is None or not features.raw_prefix.shape[1]:
            raise InvalidValueError(
                'PlainPartSegHead prefix=True needs a backbone with prefix tokens; set prefix=False.'
            )
        return features.raw_prefix


def label_embedding(num_categories: int, dim: int) -> nn.Sequential:
    """Build the embedding of an object's category."""
    return nn.Sequential(nn.Conv1d(num_categories, dim, 1, bias=False), BatchNorm1d(dim), nn.LeakyReLU(0.2))


def embed_label(embedding: nn.Sequential, one_hot: Tensor) -> Tensor:
    """Embed categories (B, num_categories) as (B, dim)."""
    return embedding(one_hot.unsqueeze(-1)).squeeze(-1)


def joint_layer(conv: nn.Conv1d, local: Tensor, whole: Tensor) -> Tensor:
    """Apply a 1x1 convolution to ``[local | whole]`` with ``whole`` (B, W) the same for all points (B, N, L)."""
    on_local, on_whole = conv.weight.squeeze(-1).split([local.shape[-1], whole.shape[-1]], dim=1)
    return F.linear(local, on_local) + F.linear(whole, on_whole, conv.bias).unsqueeze(1)
