"""Carrying features from group centers to points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from ...backbones.layers import BatchNorm1d
from ...ops import interpolate


class FeaturePropagation(nn.Module):
    """Interpolate features from the three nearest centers, join them with the points' own, and apply an MLP.

    The same numbers as PointNet++'s feature propagation (arXiv 1706.02413, section 3.4), with its names. Interpolation
    and the MLP's first layer are both linear, so the layer goes first: at the centers, of which there are few.

    Args:
        point_dim (int): Channels D of the points' own features.
        center_dim (int): Channels C of the centers' features.
        dims (Sequence[int]): Widths of the MLP.
    """

    def __init__(self, point_dim: int, center_dim: int, dims: Sequence[int]) -> None:
        super().__init__()
        self.point_dim = point_dim
        widths = [point_dim + center_dim, *dims]
        self.mlp_convs = nn.ModuleList(nn.Conv1d(a, b, 1) for a, b in zip(widths, widths[1:]))
        self.mlp_bns = nn.ModuleList(BatchNorm1d(width) for width in dims)

    def forward(
        self, points: Tensor, centers: Tensor, point_features: Tensor, center_features: Tensor
    ) -> Tensor:
        """Propagate.

        Args:
            points (Tensor): (B, N, 3) coordinates.
            centers (Tensor): (B, S, 3) coordinates, S >= 3.
            point_features (Tensor): (B, N, D).
            center_features (Tensor): (B, S, C).

        Returns:
            Tensor: (B, N, dims[-1]).

        Raises:
            ValueError: If there are fewer than three centers.
        """
        conv = cast(nn.Conv1d, self.mlp_convs[0])
        on_points, on_centers = conv.weight.squeeze(-1).split(
            [self.point_dim, conv.in_channels - self.point_dim], dim=1
        )
        x = F.linear(point_features, on_points, conv.bias)  # (B, N, O)
        x = x + interpolate(points, centers, F.linear(center_features, on_centers))
        return self._rest(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    def _rest(self, x: Tensor) -> Tensor:
        """What follows the first convolution, on rows."""
        x = F.relu(self.mlp_bns[0](x))
        for conv, norm in zip(list(self.mlp_convs)[1:], list(self.mlp_bns)[1:]):
            x = F.relu(norm(pointwise(conv, x)))
        return x


def pointwise(conv: nn.Module, x: Tensor) -> Tensor:
    """Apply a 1x1 convolution to the last dimension."""
    assert isinstance(conv, nn.Conv1d)
    return F.linear(x, conv.weight.squeeze(-1), conv.bias)
