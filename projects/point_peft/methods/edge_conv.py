"""Edge convolutions on tokens (DGCNN, Wang et al., TOG 2019, arXiv 1801.07829)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones.layers import BatchNorm1d
from ..io.errors import InvalidValueError
from ..ops import gather, max_pool
from ..ops.checks import at_least_float32

LEAKY_SLOPE = 0.2
"""Slope of the leaky ReLU of negative values in DGCNN, and in the methods that take it over (IDPT, GFT)."""


class EdgeConvStack(nn.Module):
    """Edge convolutions one after another, whose outputs are joined and brought to one dimension, token by token.

    Every layer finds the neighbours anew, among the features that enter it. Without edge convolutions only the last,
    pointwise layer is left.

    Args:
        dim (int): Dimension of the tokens.
        hidden_dims (Sequence[int]): Dimensions of the edge convolutions, in order.
        out_dim (int): Dimension behind the last layer.
        num_neighbors (int): Neighbours K of each token, itself included.
    """

    def __init__(self, dim: int, hidden_dims: Sequence[int], out_dim: int, *, num_neighbors: int) -> None:
        super().__init__()
        self.num_neighbors = num_neighbors
        dims = [dim, *hidden_dims]
        self.convs = nn.ModuleList(EdgeConv(*pair) for pair in zip(dims, dims[1:]))
        self.join = nn.Linear(sum(hidden_dims) or dim, out_dim, bias=False)
        self.norm = BatchNorm1d(out_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, G, C) to (B, G, out_dim).

        Raises:
            ValueError: If there are fewer tokens than neighbours.
        """
        found = []
        for conv in self.convs:
            x = conv(x, feature_neighbors(x, self.num_neighbors))
            found.append(x)
        joined = self.join(torch.cat(found, dim=-1) if found else x)
        return F.leaky_relu(_normed(self.norm, joined), LEAKY_SLOPE)


class EdgeConv(nn.Module):
    """Maximum over the neighbours j of a token i of ``leaky_relu(norm(W [x_j - x_i, x_i]))`` (section 3.1).

    The linear map acts on tokens before they are gathered, which is the same in a K-th of the multiplications.

    Args:
        dim (int): Dimension C of the tokens.
        out_dim (int): Output dimension.
    """

    def __init__(self, dim: int, out_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * dim, out_dim, bias=False)
        self.norm = BatchNorm1d(out_dim)

    def forward(self, x: Tensor, neighbor_index: Tensor) -> Tensor:
        """Map tokens (B, G, C) with neighbours (B, G, K) int64 to (B, G, out_dim)."""
        on_difference, on_token = self.linear.weight.chunk(2, dim=1)
        edges = gather(F.linear(x, on_difference), neighbor_index)  # (B, G, K, out_dim)
        edges = edges + F.linear(x, on_token - on_difference).unsqueeze(2)
        return max_pool(F.leaky_relu(_normed(self.norm, edges), LEAKY_SLOPE), dim=2)


@torch.no_grad()
def feature_neighbors(x: Tensor, k: int) -> Tensor:
    """The ``k`` tokens nearest to each token by their features, itself first: (B, G, k) int64.

    Distances are those of the differences, in float32 at least: two tokens that differ little beside their length
    keep their order, so that neighbours depend on rounding, and thereby on the batch, as little as they can.

    Args:
        x (Tensor): (B, G, C).
        k (int): Number of neighbours.

    Raises:
        ValueError: If there are fewer tokens.
    """
    if k > x.shape[1]:
        raise InvalidValueError(
            f'num_neighbors={k}, but there are only {x.shape[1]} tokens to choose from; lower num_neighbors of the '
            'tuning method.'
        )
    x = at_least_float32(x)
    distance = torch.cdist(x, x, compute_mode='donot_use_mm_for_euclid_dist')
    return distance.topk(k, largest=False).indices


def _normed(norm: nn.Module, x: Tensor) -> Tensor:
    """Norm (..., C) over all but the channels."""
    return norm(x.flatten(0, -2)).view_as(x)
