"""The decoder of Point-BERT."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...backbones import AnyBackbone
from ...backbones.layers import BatchNorm1d
from ...io.errors import InvalidValueError
from ...ops import farthest_point_sample, gather, knn
from ...registry import MODELS
from ...structures import BackboneFeatures
from .base import PartSegHead
from .propagation import FeaturePropagation, pointwise


@MODELS.register_module()
class GraphPartSegHead(PartSegHead):
    """Upsample tokens step by step, from the groups to 256 and 512 points and to all, with graph convolutions between.

    Tensor names are the official ones (Point-BERT, ``segmentation/models/PointTransformer.py``).

    Args:
        backbone (AnyBackbone): The backbone, without hierarchy; its three decoder blocks start the levels, the finest
            first.
        parts_per_category (Sequence[int]): Number of parts of every category.
        level_sizes (Sequence[int]): Points of the levels between all points and the groups.
        num_neighbors (int): Neighbours K of the graph convolutions.
        hidden_dim (int): Width of the last hidden layer.
        dropout (float): Dropout after it.
    """

    def __init__(
        self,
        backbone: AnyBackbone,
        parts_per_category: Sequence[int],
        *,
        level_sizes: Sequence[int] = (512, 256),
        num_neighbors: int = 4,
        hidden_dim: int = 128,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(backbone, parts_per_category)
        self.single_stage_width()
        if len(self.hidden_layers) != 3:
            raise InvalidValueError(
                f'GraphPartSegHead starts its three levels from three blocks, but the backbone has decoder_layers='
                f'{self.stages}; name three.'
            )
        self.level_sizes = tuple(level_sizes)
        embed_dim = backbone.embed_dim
        dims = (4 * embed_dim, embed_dim)
        self.propagation_2 = FeaturePropagation(3, embed_dim, dims)
        self.propagation_1 = FeaturePropagation(3, embed_dim, dims)
        self.propagation_0 = FeaturePropagation(3 + self.num_categories, embed_dim, dims)
        self.dgcnn_pro_1 = GraphPropagation(embed_dim, num_neighbors)
        self.dgcnn_pro_2 = GraphPropagation(embed_dim, num_neighbors)
        self.conv1 = nn.Conv1d(embed_dim, hidden_dim, 1)
        self.bn1 = BatchNorm1d(hidden_dim)
        self.drop1 = nn.Dropout(dropout)
        self.conv2 = nn.Conv1d(hidden_dim, self.num_parts, 1)

    def decode(self, features: BackboneFeatures, points: Tensor, category: Tensor) -> Tensor:
        """Decode; see :meth:`PartSegHead.decode`.

        Raises:
            ValueError: If an object has fewer points than the finest level.
        """
        fine, middle, coarse = (features.hidden[layer] for layer in self.hidden_layers)
        order = farthest_point_sample(
            points, self.level_sizes[0]
        )  # the first ones of it are a coarser sampling
        level_1 = gather(points, order)
        level_2, level_3 = level_1[:, : self.level_sizes[1]], features.centers
        at_2 = self.propagation_2(level_2, level_3, level_2, middle)
        at_1 = self.propagation_1(level_1, level_3, level_1, fine)
        at_2 = self.dgcnn_pro_2(level_3, coarse, level_2, at_2)
        at_1 = self.dgcnn_pro_1(level_2, at_2, level_1, at_1)
        label = self.one_hot(category, points).unsqueeze(1).expand(-1, points.shape[1], -1)
        x = self.propagation_0(points, level_1, torch.cat([label, points], dim=-1), at_1)  # (B, N, C)
        x = self.drop1(F.relu(self.bn1(pointwise(self.conv1, x.flatten(0, 1)))))
        return pointwise(self.conv2, x).unflatten(0, points.shape[:2])


class GraphPropagation(nn.Module):
    """Two edge convolutions (DGCNN, arXiv 1801.07829): from the neighbours at a coarser level, then at the own level.

    Args:
        dim (int): Channels C.
        num_neighbors (int): Neighbours K.
    """

    def __init__(self, dim: int, num_neighbors: int) -> None:
        super().__init__()
        self.num_neighbors = num_neighbors
        self.layer1 = _edge_layer(2 * dim, 512)
        self.layer2 = _edge_layer(2 * 512, dim)

    def forward(self, centers: Tensor, center_features: Tensor, points: Tensor, features: Tensor) -> Tensor:
        """Map features (B, N, C) at points (B, N, 3) to (B, N, C), given those (B, S, C) at centers (B, S, 3)."""
        x = self._convolve(self.layer1, features, center_features, knn(points, centers, self.num_neighbors))
        return self._convolve(self.layer2, x, x, knn(points, points, self.num_neighbors))

    def _convolve(self, layer: nn.Sequential, x: Tensor, support: Tensor, index: Tensor) -> Tensor:
        """Maximum over the neighbours of a layer on ``[neighbour - x, x]``: (B, N, C) -> (B, N, C')."""
        near = gather(support, index)  # (B, N, K, C)
        own = x.unsqueeze(2).expand_as(near)
        edges = torch.cat([near - own, own], dim=-1).permute(0, 3, 1, 2)  # (B, 2C, N, K)
        return layer(edges).amax(dim=-1).transpose(1, 2)


def _edge_layer(dim: int, out_dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(dim, out_dim, 1, bias=False), nn.GroupNorm(4, out_dim), nn.LeakyReLU(0.2))
