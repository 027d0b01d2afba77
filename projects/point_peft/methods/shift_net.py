"""The small PointNet++ that moves the points of a cloud and describes its shape, of GAPrompt."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones.layers import BatchNorm1d
from ..ops import gather, group, squared_distance
from ..ops.interpolation import interpolate_with

NUM_FREQUENCIES = 4
"""Frequencies 1, 2, 4, 8 of the sine waves that encode coordinates (published code, ``embedding_level``)."""

EPS = 1e-4
"""Added to squared distances in interpolation, in squared units of the cloud (``PointNetFeaturePropagation``)."""

NUM_INTERPOLATED = 32
"""Neighbours of interpolation (``interpolate_neighbors``)."""


class ShiftNet(nn.Module):
    """Say how far every point moves, and describe the cloud (GAPrompt, ICML 2025, arXiv 2505.04119, section 3.3).

    Two levels of groups are pooled, and carried back to the points. Widths and tensor names are the published ones.

    Args:
        num_groups (int): Groups of the first level, G; the second has half as many. As many as the backbone's.
        group_size (int): Points in a group of the first level; half as many groups in one of the second.
        top_dim (int): Channels of the second level's groups, D.
        dropout (float): Dropout before the last layer.
    """

    def __init__(
        self, num_groups: int, group_size: int = 32, *, top_dim: int = 8, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.num_groups, self.group_size = num_groups, group_size
        self.num_top_groups = max(1, num_groups // 2)
        self.shape_dim = self.num_top_groups * top_dim
        encoded = 3 * (2 * NUM_FREQUENCIES + 1)
        self.abstraction_level1 = PointwiseLayers(encoded, (64, 32, 64), conv=nn.Conv2d)
        self.abstraction_level2 = PointwiseLayers(64, (64, 32, top_dim), conv=nn.Conv2d)
        self.propagation2 = PointwiseLayers(64 + top_dim, (64, 32))
        self.propagation1 = PointwiseLayers(encoded + 32, (32, 32))
        hidden, last = nn.Linear(32, 64), nn.Linear(64, 3)
        for layer in (hidden, last):
            nn.init.zeros_(layer.bias)
        self.mlp_position = nn.Sequential(hidden, nn.ReLU(), nn.Dropout(dropout), last)

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Look at clouds (B, N, 3).

        Returns:
            tuple[Tensor, Tensor]: (B, N, 3) by how much each coordinate is to be multiplied, less one, and (B, G/2 * D)
            the shape.
        """
        encoded = encode_coordinates(points)  # (B, N, 27)
        fine = group(points, self.num_groups, self.group_size)
        coarse = group(fine.centers, self.num_top_groups, max(1, self.group_size // 2))
        at_fine = self.abstraction_level1(gather(encoded, fine.neighbor_index)).amax(dim=2)  # (B, G, 64)
        top = self.abstraction_level2(gather(at_fine, coarse.neighbor_index)).amax(dim=2)  # (B, G/2, D)
        carried = _carry(fine.centers, coarse.centers, top)
        at_fine = self.propagation2(torch.cat([at_fine, carried], dim=-1))  # (B, G, 32)
        carried = _carry(points, fine.centers, at_fine)
        at_points = self.propagation1(torch.cat([encoded, carried], dim=-1))  # (B, N, 32)
        return self.mlp_position(at_points), top.flatten(1)


class PointwiseLayers(nn.Module):
    """Linear layers, each with batch norm and ReLU, kept as the 1x1 convolutions that they are in published files.

    Args:
        in_dim (int): Input channels.
        dims (Sequence[int]): Widths.
        conv (type): Kind of convolution.
    """

    def __init__(
        self, in_dim: int, dims: Sequence[int], *, conv: type[nn.Conv1d | nn.Conv2d] = nn.Conv1d
    ) -> None:
        super().__init__()
        self.mlp_convs = nn.ModuleList(conv(a, b, 1) for a, b in zip((in_dim, *dims), dims))
        self.mlp_bns = nn.ModuleList(BatchNorm1d(dim) for dim in dims)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to (..., C')."""
        rows = x.flatten(0, -2)
        for conv, norm in zip(self.mlp_convs, self.mlp_bns):
            weight, bias = conv.get_parameter('weight'), conv.get_parameter('bias')
            rows = F.relu(norm(F.linear(rows, weight.flatten(1), bias)))
        return rows.view(*x.shape[:-1], -1)


def encode_coordinates(points: Tensor) -> Tensor:
    """Coordinates (B, N, 3), and sine and cosine of them at every frequency: (B, N, 27)."""
    waves = [wave(2.0**power * points) for power in range(NUM_FREQUENCIES) for wave in (torch.sin, torch.cos)]
    return torch.cat([points, *waves], dim=-1)


def _carry(query: Tensor, support: Tensor, features: Tensor) -> Tensor:
    """Features (B, S, C) of supports (B, S, 3), carried to queries (B, M, 3) by inverse squared distance."""
    with torch.no_grad():
        distance = squared_distance(query, support)  # (B, M, S)
        near, index = distance.topk(min(NUM_INTERPOLATED, distance.shape[2]), largest=False)
        weights = torch.zeros_like(distance).scatter_(2, index, 1 / (near + EPS))
        weights /= weights.sum(dim=2, keepdim=True)
    return interpolate_with(weights, features)
