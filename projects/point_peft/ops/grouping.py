"""Split a cloud into groups: centers by FPS, and the nearest points of each center."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from ..io.errors import InvalidValueError
from .checks import check_clouds, check_count
from .fps import farthest_point_sample
from .gather import gather
from .knn import knn


class Groups(NamedTuple):
    """Groups of a batch of clouds.

    Attributes:
        centers (Tensor): ``(B, G, 3)`` coordinates of the centers, points of the cloud themselves.
        neighborhoods (Tensor): ``(B, G, K, 3)`` coordinates relative to the center; the center comes first.
        center_index (Tensor): ``(B, G)`` int64 index of the centers in the cloud.
        neighbor_index (Tensor): ``(B, G, K)`` int64 index of the neighbours in the cloud, nearest first.
    """

    centers: Tensor
    neighborhoods: Tensor
    center_index: Tensor
    neighbor_index: Tensor


def group(points: Tensor, num_groups: int, group_size: int) -> Groups:
    """Group each cloud around ``num_groups`` spread-out points; groups overlap.

    Centers and neighbourhoods are differentiable with respect to ``points``; the choice of the points is not.

    Args:
        points (Tensor): ``(B, N, 3)`` floating-point coordinates.
        num_groups (int): G, the number of centers, taken by farthest point sampling from index 0.
        group_size (int): K, the number of nearest points of each center, the center included.

    Returns:
        Groups: Centers, centred neighbourhoods and their indices; unpacks like a tuple.

    Raises:
        ValueError: If ``points`` is not ``(B, N, 3)`` or holds fewer points than ``num_groups`` or
            ``group_size``.

    Source: Pang et al., Point-MAE (ECCV 2022), section 3.1, point patches.
    """
    check_clouds('points', points)
    for name, count in (('num_groups', num_groups), ('group_size', group_size)):
        check_count(name, count)
        if points.shape[1] < count:
            raise InvalidValueError(
                f'num_points={points.shape[1]} < {name}={count}; lower {name} or provide denser clouds'
            )
    center_index = farthest_point_sample(points, num_groups)  # (B, G)
    centers = gather(points, center_index)  # (B, G, 3)
    neighbor_index = knn(centers, points, group_size)  # (B, G, K)
    neighborhoods = gather(points, neighbor_index) - centers.unsqueeze(2)  # (B, G, K, 3)
    return Groups(centers, neighborhoods, center_index, neighbor_index)
