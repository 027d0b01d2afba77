"""Chamfer distance between two clouds."""

from __future__ import annotations

import torch
from torch import Tensor

from .checks import at_least_float32, check_clouds, check_same_batch
from .compiling import indices, opaque
from .distance import squared_distance_chunks
from .gather import gather


def chamfer_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared distance to the nearest point, from ``a`` to ``b`` plus from ``b`` to ``a``.

    Args:
        a (Tensor): ``(B, N, 3)`` coordinates.
        b (Tensor): ``(B, M, 3)`` coordinates in the same unit.

    Returns:
        Tensor: Scalar in squared units, averaged over the batch; differentiable with respect to both clouds.

    Raises:
        ValueError: If a shape is wrong or the batches differ.

    Source: ``ChamferDistanceL2`` of Point-BERT and Point-MAE; Point-MAE (ECCV 2022), equation 6.
    """
    to_b, to_a = _nearest_differences(a, b)
    return to_b.square().sum(-1).mean() + to_a.square().sum(-1).mean()


def chamfer_distance_l1(a: Tensor, b: Tensor) -> Tensor:
    """Mean distance (not squared) to the nearest point, averaged over both directions.

    Args:
        a (Tensor): ``(B, N, 3)`` coordinates.
        b (Tensor): ``(B, M, 3)`` coordinates in the same unit.

    Returns:
        Tensor: Scalar in units of the input; points that coincide have the gradient zero, not NaN.

    Raises:
        ValueError: If a shape is wrong or the batches differ.

    Source: ``ChamferDistanceL1`` of Point-BERT and Point-MAE.
    """
    to_b, to_a = _nearest_differences(a, b)
    # vector_norm defines its gradient at zero as zero, where sqrt would give infinity.
    return (torch.linalg.vector_norm(to_b, dim=-1).mean() + torch.linalg.vector_norm(to_a, dim=-1).mean()) / 2


def _nearest_differences(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """``(B, N, 3)`` a minus its nearest b and ``(B, M, 3)`` b minus its nearest a.

    Only these vectors are kept for the backward, never the ``(B, N, M)`` distances.
    """
    check_clouds('a', a)
    check_clouds('b', b)
    check_same_batch('a', a, 'b', b)
    a, b = at_least_float32(a), at_least_float32(b)
    return a - gather(b, _nearest(a, b)), b - gather(a, _nearest(b, a))


@opaque('(Tensor query, Tensor support) -> Tensor', lambda query, _: indices(query, query.shape[1]))
def _nearest(query: Tensor, support: Tensor) -> Tensor:
    """``(B, M)`` int64 index of the support nearest to each query; the lowest index wins a tie."""
    return torch.cat([chunk.argmin(-1) for chunk in squared_distance_chunks(query, support)], dim=1)
