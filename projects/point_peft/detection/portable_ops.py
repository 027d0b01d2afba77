"""mmcv's point operations on CPU tensors; mmcv 2.1.0 has kernels for CUDA alone.

mmdet3d's indoor detectors call these operations to sample, group and interpolate points, to make targets and to
filter predictions. With this module the detectors run on a CPU, unmodified. Tensors on any other device go to
mmcv's own code.

mmcv's operations are classes (``torch.autograd.Function``) whose ``apply`` is imported by name all over mmcv and
mmdet3d. ``apply`` looks up ``forward`` and ``backward`` of its class at each call, so :func:`use_portable_ops`
replaces these two and reaches every importer. Shapes, dtypes and results are those of the kernels
(``mmcv/ops/csrc/common/cuda``). Layouts that they refuse are refused on a CPU too: what runs here runs there.

=============== ====================================================================================================
farthest points start at index 0; skip no point near the origin; index 0 once all points are taken
ball query      the cloud's first points with ``min <= d < max`` or ``d == 0``; the first fills the rest; else zeros
three nearest   nearest first; the lowest index wins a tie; index 0 at infinity in place of points that are missing
k nearest       nearest first; ties in no order; index 0 in place of points that are missing
points in boxes bottom and top belong to a box, its other sides do not; z of a box is that of its bottom
=============== ====================================================================================================
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import mmcv.ops
import torch
from mmcv.ops.ball_query import BallQuery
from mmcv.ops.furthest_point_sample import FurthestPointSampling, FurthestPointSamplingWithDist
from mmcv.ops.gather_points import GatherPoints
from mmcv.ops.group_points import GroupingOperation
from mmcv.ops.knn import KNN
from mmcv.ops.three_interpolate import ThreeInterpolate
from mmcv.ops.three_nn import ThreeNN
from mmdet3d.structures.bbox_3d import base_box3d
from torch import Tensor, nn

from point_peft.ops import farthest_point_sample, knn, weighted_gather, weighted_scatter
from point_peft.ops.checks import at_least_float32
from point_peft.ops.distance import squared_distance_chunks
from point_peft.ops.interpolation import NUM_INTERPOLATION_NEIGHBORS

from ..io.errors import InvalidValueError

MAX_NEIGHBORS = 99
"""Neighbours that the kernel of ``knn`` has room for."""


def sample_farthest(ctx: Any, points: Tensor, num_points: int) -> Tensor:
    """``furthest_point_sample``: points (B, N, 3) -> (B, num_points) int32; ``num_points`` may exceed N."""
    _check_contiguous(points)
    num_picks = min(num_points, points.shape[1])
    picks = farthest_point_sample(points, num_picks)
    return _as_index(ctx, nn.functional.pad(picks, (0, num_points - num_picks)))


def sample_farthest_with_dist(ctx: Any, distance: Tensor, num_points: int) -> Tensor:
    """``furthest_point_sample_with_dist``: (B, N, N), from each point to the others -> (B, num_points) int32."""
    _check_contiguous(distance)
    nearest = torch.full_like(distance[:, 0], float('inf'))
    picks = torch.zeros(len(distance), num_points, dtype=torch.int64)
    for step in range(1, num_points):
        last = picks[:, step - 1, None, None].expand(-1, 1, distance.shape[2])
        nearest = torch.minimum(nearest, distance.gather(1, last).squeeze(1))
        picks[:, step] = nearest.argmax(1)
    return _as_index(ctx, picks)


def query_balls(
    ctx: Any, min_radius: float, max_radius: float, count: int, points: Tensor, centers: Tensor, *stacked: Any
) -> Tensor:
    """``ball_query``: points (B, N, 3), centers (B, M, 3), radii in their unit -> (B, M, count) int32."""
    _refuse_stacked('ball_query', stacked)
    _check_contiguous(points, centers)
    if not 0 <= min_radius < max_radius:
        raise InvalidValueError(f'min_radius={min_radius}, max_radius={max_radius}: expected 0 <= min < max')
    # The kernel squares the radii in single precision, which decides on points right at the boundary.
    low, high = torch.tensor([min_radius, max_radius], dtype=torch.float32).square().tolist()
    index = []
    for distance in squared_distance_chunks(at_least_float32(centers), at_least_float32(points)):
        hit = distance < high
        if min_radius > 0:
            hit &= (distance >= low) | (distance == 0)
        index.append(_first_hits(hit, count))
    return _as_index(ctx, torch.cat(index, dim=1))


def find_three_nearest(ctx: Any, target: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
    """``three_nn``: targets (B, N, 3), sources (B, M, 3) -> distances and int32 indices, both (B, N, 3)."""
    chunks = squared_distance_chunks(at_least_float32(target), at_least_float32(source))
    distance, index = zip(*map(_three_smallest, chunks), strict=True)
    return torch.cat(distance, dim=1).sqrt().to(target.dtype), _as_index(ctx, torch.cat(index, dim=1))


def find_nearest(
    ctx: Any, k: int, points: Tensor, centers: Tensor | None = None, transposed: bool = False
) -> Tensor:
    """``knn``: points (B, N, 3) and centers (B, M, 3), or (B, 3, .) if transposed -> (B, k, M) int32."""
    if not 0 < k <= MAX_NEIGHBORS:
        raise InvalidValueError(f'k={k}: mmcv finds 1 to {MAX_NEIGHBORS} neighbours')
    centers = points if centers is None else centers
    if transposed:
        points, centers = points.mT.contiguous(), centers.mT.contiguous()
    _check_contiguous(points, centers)
    num_found = min(k, points.shape[1])
    index = nn.functional.pad(knn(centers, points, num_found), (0, k - num_found))
    return _as_index(ctx, index.mT.contiguous())


def group_points(ctx: Any, features: Tensor, index: Tensor, *stacked: Any) -> Tensor:
    """``grouping_operation``: features (B, C, N), index (B, M, K) int32 -> (B, C, M, K)."""
    _refuse_stacked('grouping_operation', stacked)
    ctx.save_for_backward(index)
    ctx.num_points = features.shape[2]
    return _select(features, index)


def gather_points(ctx: Any, features: Tensor, index: Tensor) -> Tensor:
    """``gather_points``: features (B, C, N), index (B, M) int32 -> (B, C, M)."""
    _check_contiguous(features, index)
    return group_points(ctx, features, index)


def select_backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    """Gradient (B, C, M) or (B, C, M, K) of what was selected -> (B, C, N) of the features."""
    return _accumulate(gradient, ctx.saved_tensors[0], ctx.num_points), None, None, None


def interpolate(ctx: Any, features: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """``three_interpolate``: features (B, C, M), index (B, N, 3) int32, weight (B, N, 3) -> (B, C, N)."""
    _check_contiguous(features, index, weight)
    ctx.save_for_backward(index, weight)
    ctx.num_points = features.shape[2]
    return weighted_gather(features.mT, _as_long(index), weight).mT.contiguous()


def interpolate_backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    """Gradient (B, C, N) -> (B, C, M) of the features; as in mmcv, the weights get none."""
    index, weight = ctx.saved_tensors
    return weighted_scatter(gradient.mT, _as_long(index), weight, ctx.num_points).mT.contiguous(), None, None


def points_in_boxes_all(points: Tensor, boxes: Tensor) -> Tensor:
    """Points (B, M, 3), boxes (B, T, 7) with bottom center, sizes, yaw -> (B, M, T) int32, 1 where inside."""
    return mmcv.ops.points_in_boxes_cpu(points, boxes).contiguous()


def points_in_boxes_part(points: Tensor, boxes: Tensor) -> Tensor:
    """The same arguments -> (B, M) int32, the first box that a point is in, -1 for none."""
    # One more box holds everything, so that there is a first one also for no box.
    first = nn.functional.pad(points_in_boxes_all(points, boxes), (0, 1), value=1).argmax(-1)
    return first.masked_fill(first == boxes.shape[1], -1).int()


OPERATIONS: tuple[tuple[Any, Callable, Callable | None], ...] = (
    (FurthestPointSampling, sample_farthest, None),
    (FurthestPointSamplingWithDist, sample_farthest_with_dist, None),
    (BallQuery, query_balls, None),
    (ThreeNN, find_three_nearest, None),
    (KNN, find_nearest, None),
    (GatherPoints, gather_points, select_backward),
    (GroupingOperation, group_points, select_backward),
    (ThreeInterpolate, interpolate, interpolate_backward),
)
"""mmcv's class, its forward on a CPU, its backward on a CPU; without one, mmcv's own returns no gradient."""

FUNCTIONS = (points_in_boxes_all, points_in_boxes_part)
IMPORTERS = (mmcv.ops, mmcv.ops.points_in_boxes, base_box3d)
"""Replacements for mmcv's plain functions, by name, and the modules that hold these."""


@functools.cache
def use_portable_ops() -> None:
    """Let mmcv's operations run on CPU tensors; a second call changes nothing."""
    for operation, forward, backward in OPERATIONS:
        operation.forward = staticmethod(_dispatch(forward, operation.forward))
        if backward is not None:
            operation.backward = staticmethod(_dispatch(backward, operation.backward))
    for function, module in itertools.product(FUNCTIONS, IMPORTERS):
        setattr(module, function.__name__, _dispatch(function, getattr(module, function.__name__)))


def _dispatch(portable: Callable, original: Callable) -> Callable:
    """``portable`` if the first tensor among the arguments is on a CPU, otherwise mmcv's ``original``."""

    @functools.wraps(original)
    def dispatched(*arguments: Any) -> Any:
        first = next(argument for argument in arguments if isinstance(argument, Tensor))
        return (portable if first.device.type == 'cpu' else original)(*arguments)

    return dispatched


def _as_index(ctx: Any, index: Tensor) -> Tensor:
    """Index as mmcv returns it: int32, without gradient."""
    index = index.int()
    ctx.mark_non_differentiable(index)
    return index


def _first_hits(hit: Tensor, count: int) -> Tensor:
    """Positions (B, M, count) of the first hits of each row (B, M, N), filled up with the first, or 0."""
    row, column = hit.flatten(0, 1).nonzero(as_tuple=True)
    found = row.bincount(minlength=hit.shape[0] * hit.shape[1])
    rank = torch.arange(len(row)) - (found.cumsum(0) - found)[row]  # place among the hits of its row
    taken = rank < count
    index = column.new_zeros(len(found), count)
    index[row[taken], rank[taken]] = column[taken]
    is_free = torch.arange(count) >= found.unsqueeze(1)
    return torch.where(is_free, index[:, :1], index).unflatten(0, hit.shape[:2])


def _three_smallest(distance: Tensor) -> tuple[Tensor, Tensor]:
    """Values and positions (B, M, 3) of each row (B, M, N), which is overwritten; unlike topk, ties in order."""
    smallest = []
    for _ in range(NUM_INTERPOLATION_NEIGHBORS):
        smallest.append(distance.min(-1, keepdim=True))
        distance.scatter_(-1, smallest[-1].indices, float('inf'))
    values, indices = zip(*smallest, strict=True)
    return torch.cat(values, dim=-1), torch.cat(indices, dim=-1)


def _select(features: Tensor, index: Tensor) -> Tensor:
    """Columns (B, C, ...) of features (B, C, N) by index (B, ...)."""
    return features.gather(2, _for_channels(index, features.shape[1])).unflatten(2, index.shape[1:])


def _accumulate(gradient: Tensor, index: Tensor, num_points: int) -> Tensor:
    """Sums (B, C, num_points) of the columns (B, C, ...) that have the same index (B, ...)."""
    total = gradient.new_zeros(*gradient.shape[:2], num_points)
    return total.scatter_add_(2, _for_channels(index, gradient.shape[1]), gradient.flatten(2))


def _for_channels(index: Tensor, channels: int) -> Tensor:
    """Index (B, ...) int32 as (B, C, M) int64."""
    return _as_long(index).flatten(1).unsqueeze(1).expand(-1, channels, -1)


def _as_long(index: Tensor) -> Tensor:
    """Index int32 as int64."""
    if index.dtype != torch.int32:
        raise InvalidValueError(f'index has dtype {index.dtype}, but kernels need torch.int32; call `.int()`')
    return index.long()


def _check_contiguous(*tensors: Tensor) -> None:
    """Refuse layouts that mmcv's kernels cannot read."""
    if not all(tensor.is_contiguous() for tensor in tensors):
        raise InvalidValueError(
            'a tensor is not contiguous, but the kernels need it so; call `.contiguous()`'
        )


def _refuse_stacked(name: str, counts: tuple[Any, ...]) -> None:
    """Refuse clouds of different sizes in one list, which no indoor detector uses."""
    if any(count is not None for count in counts):
        raise NotImplementedError(f'{name} of stacked clouds needs CUDA; on a CPU pass clouds as (B, N, 3)')
