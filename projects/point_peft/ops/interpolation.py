"""Inverse-distance weights that carry features from one set of points to another."""

from __future__ import annotations

import torch
from torch import Tensor

from ..io.errors import InvalidValueError
from .checks import at_least_float32, check_clouds, check_same_batch
from .distance import squared_distance
from .gather import gather
from .knn import knn
from .weighted_gather import weighted_gather

NUM_INTERPOLATION_NEIGHBORS = 3
"""Neighbours of :func:`three_nn` (PointNet++, equation 2, k = 3)."""


@torch.no_grad()
def interpolation_weights(query: Tensor, support: Tensor, eps: float = 1e-8) -> Tensor:
    """Weights ``1 / (d^2 + eps)`` over all supports, each row normalised to one.

    They depend on the geometry only: compute them once per batch, then interpolate with ``weights @
    features``. Distances are exact differences in float32 at least, so no weight is negative and duplicate
    points are finite.

    Args:
        query (Tensor): ``(B, M, 3)`` points that receive features.
        support (Tensor): ``(B, S, 3)`` points that have features.
        eps (float): Added to the squared distance, in squared units of the input. Default 1e-8, as in the
            feature propagation of Point-PEFT's release (``Block.propagate``).

    Returns:
        Tensor: ``(B, M, S)`` row-stochastic weights without gradient, float32 or float64.

    Raises:
        ValueError: If a shape is wrong, the batches differ or ``eps`` is not positive.

    Source: Tang et al., Point-PEFT (AAAI 2024), geometry-aware adapter, propagation.
    """
    check_clouds('query', query)
    check_clouds('support', support)
    check_same_batch('query', query, 'support', support)
    return _normalised_inverse(squared_distance(at_least_float32(query), at_least_float32(support)), eps)


@torch.no_grad()
def three_nn(query: Tensor, support: Tensor, eps: float = 1e-8) -> tuple[Tensor, Tensor]:
    """The three nearest supports of each query and their inverse squared-distance weights.

    Args:
        query (Tensor): ``(B, M, 3)`` points that receive features.
        support (Tensor): ``(B, S, 3)`` points that have features, S >= 3.
        eps (float): Added to the squared distance, in squared units of the input. Default 1e-8, as in the
            part segmentation decoder of Point-MAE, which also takes squared distances.

    Returns:
        tuple[Tensor, Tensor]: ``(B, M, 3)`` int64 indices, nearest first, and ``(B, M, 3)`` weights without
            gradient,
        each row summing to one.

    Raises:
        ValueError: If a shape is wrong, the batches differ, S < 3 or ``eps`` is not positive.

    Source: Qi et al., PointNet++ (NeurIPS 2017), equation 2 with k = 3 and p = 2.
    """
    check_clouds('support', support)
    if support.shape[1] < NUM_INTERPOLATION_NEIGHBORS:
        raise InvalidValueError(
            f'support has {support.shape[1]} points, expected at least {NUM_INTERPOLATION_NEIGHBORS} '
            'to interpolate from; raise num_groups'
        )
    index = knn(query, support, NUM_INTERPOLATION_NEIGHBORS)
    neighbors = gather(at_least_float32(support), index)  # (B, M, 3, 3)
    distance = (at_least_float32(query).unsqueeze(2) - neighbors).square().sum(-1)
    return index, _normalised_inverse(distance, eps)


def interpolate(points: Tensor, centers: Tensor, features: Tensor) -> Tensor:
    """Carry features (B, S, C) from centers (B, S, 3) to points (B, N, 3), as (B, N, C); see :func:`three_nn`.

    Memory grows with neither N * S nor 3 * N * C; see :func:`weighted_gather`.
    """
    return weighted_gather(features, *three_nn(points, centers))


def interpolate_with(weights: Tensor, features: Tensor) -> Tensor:
    """Features (B, S, C) carried by weights (B, N, S), in float32 at least, as (B, N, C) in the features' dtype.

    The weights are not rounded to half precision, not by autocast either, so they go on adding up to one.
    """
    dtype = torch.promote_types(torch.float32, features.dtype)
    with torch.autocast(features.device.type, enabled=False):
        return (weights.to(dtype) @ features.to(dtype)).to(features.dtype)


def add_interpolated(x: Tensor, weights: Tensor, features: Tensor, *, scale: float = 1.0) -> Tensor:
    """Tokens ``x`` (B, N, C) plus ``scale`` times :func:`interpolate_with`, in the dtype of ``x``."""
    dtype = torch.promote_types(torch.float32, x.dtype)
    with torch.autocast(x.device.type, enabled=False):
        return torch.baddbmm(x.to(dtype), weights.to(dtype), features.to(dtype), alpha=scale).to(x.dtype)


def _normalised_inverse(distance: Tensor, eps: float) -> Tensor:
    """``1 / (distance + eps)`` with rows that sum to one."""
    if eps <= 0:
        raise InvalidValueError(
            f'eps={eps}, expected a positive number so that coincident points stay finite; raise eps'
        )
    weight = (distance + eps).reciprocal_()
    return weight.div_(weight.sum(-1, keepdim=True))
