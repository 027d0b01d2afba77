"""Point operations that pick one point after another, each a single launch on a CUDA device; written in Triton.

The plain forms launch several kernels per pick, which take longer to launch than to run. Products and sums are not
fused, so that every distance is rounded as on a CPU, and the lowest index wins a tie.
"""

from __future__ import annotations

import subprocess

import torch
import triton
import triton.language as tl
from torch import Tensor

COMPILATION_ERRORS = (triton.TritonError, subprocess.SubprocessError)
"""What a first launch raises where there is no compiler, or none for this GPU."""

MAX_KNN_POINTS = 8192
"""Supports per cloud up to which one program holds all distances of a query."""

MAX_NEIGHBOURS = 64
"""Neighbours up to which taking the nearest again and again is faster than a partial sort."""

_BLOCK = 8192
"""Points that a program handles at once."""

_TAKEN: tl.constexpr = tl.constexpr(0x7FFFFFFF)
"""Above the bits of any float32 that is not negative, infinity and NaN included."""


def farthest_point_sample_triton(points: Tensor, num_samples: int) -> Tensor:
    """:func:`point_peft.ops.farthest_point_sample_loop`, in one launch: a program per cloud.

    Args:
        points (Tensor): ``(B, N, 3)`` float32.
        num_samples (int): K, at most N.

    Returns:
        Tensor: ``(B, K)`` int64 indices in the order of the picks.
    """
    batch, num_points, _ = points.shape
    axes = points.mT.contiguous()
    nearest = axes.new_full((batch, num_points), float('inf'))
    index = torch.zeros(batch, num_samples, dtype=torch.int64, device=points.device)
    block = _block(num_points)
    with _on(points):
        _fps_kernel[(batch,)](
            axes,
            nearest,
            index,
            num_points,
            num_samples,
            BLOCK=block,
            num_warps=_warps(block),
            enable_fp_fusion=False,
        )
    return index


def knn_triton(query: Tensor, support: Tensor, k: int) -> Tensor:
    """:func:`point_peft.ops.knn`, in one launch: a program per query.

    Args:
        query (Tensor): ``(B, M, 3)`` float32.
        support (Tensor): ``(B, N, 3)`` float32, N at most ``MAX_KNN_POINTS``.
        k (int): At most N.

    Returns:
        Tensor: ``(B, M, k)`` int64, nearest first.
    """
    batch, num_queries, _ = query.shape
    num_points = support.shape[1]
    index = torch.empty(batch, num_queries, k, dtype=torch.int64, device=query.device)
    block = triton.next_power_of_2(num_points)
    if index.numel():
        with _on(query):
            _knn_kernel[(batch * num_queries,)](
                query.contiguous(),
                support.mT.contiguous(),
                index,
                num_queries,
                num_points,
                k,
                BLOCK=block,
                num_warps=_warps(block),
                enable_fp_fusion=False,
            )
    return index


def greedy_order_triton(points: Tensor) -> Tensor:
    """:func:`point_peft.ops.greedy_order`, in one launch: a program per cloud.

    Args:
        points (Tensor): ``(B, G, 3)`` float32.

    Returns:
        Tensor: ``(B, G)`` int64, a permutation of each cloud's points.
    """
    batch, num_points, _ = points.shape
    order = torch.zeros(batch, num_points, dtype=torch.int64, device=points.device)
    block = triton.next_power_of_2(num_points)
    with _on(points):
        _order_kernel[(batch,)](
            points.mT.contiguous(),
            order,
            num_points,
            BLOCK=block,
            num_warps=_warps(block),
            enable_fp_fusion=False,
        )
    return order


def _on(points: Tensor) -> torch.cuda.device:
    """Triton launches on the current device, which need not be that of the points."""
    return torch.cuda.device(points.device if points.is_cuda else -1)


def _block(num_points: int) -> int:
    return min(_BLOCK, triton.next_power_of_2(num_points))


def _warps(block: int) -> int:
    """Warps for so many points: eight points a thread, which was the fastest on an H100."""
    return max(1, block // 256)


@triton.jit
def _squared_distance(axes, offsets, inside, num_points, x, y, z):
    dx = tl.load(axes + offsets, mask=inside, other=0.0) - x
    dy = tl.load(axes + num_points + offsets, mask=inside, other=0.0) - y
    dz = tl.load(axes + 2 * num_points + offsets, mask=inside, other=0.0) - z
    return dx * dx + dy * dy + dz * dz


@triton.jit(do_not_specialize=['num_points', 'num_samples'])
def _fps_kernel(axes, nearest, index, num_points, num_samples, BLOCK: tl.constexpr):
    cloud = tl.program_id(0).to(tl.int64)
    axes += cloud * 3 * num_points
    nearest += cloud * num_points
    index += cloud * num_samples
    last = 0
    for step in range(1, num_samples):
        x = tl.load(axes + last)
        y = tl.load(axes + num_points + last)
        z = tl.load(axes + 2 * num_points + last)
        # Of each lane the farthest point so far, and where it is; lanes are compared once, at the end.
        farthest = tl.full((BLOCK,), -1.0, tl.float32)
        place = tl.zeros((BLOCK,), tl.int32)
        for start in range(0, num_points, BLOCK):
            offsets = start + tl.arange(0, BLOCK)
            inside = offsets < num_points
            distance = _squared_distance(axes, offsets, inside, num_points, x, y, z)
            distance = tl.minimum(tl.load(nearest + offsets, mask=inside, other=-2.0), distance)
            tl.store(nearest + offsets, distance, mask=inside)
            place = tl.where(distance > farthest, offsets, place)
            farthest = tl.maximum(distance, farthest)
        last = tl.min(tl.where(farthest == tl.max(farthest, 0), place, num_points), 0)
        tl.store(index + step, last.to(tl.int64))


@triton.jit(do_not_specialize=['num_queries', 'num_points', 'k'])
def _knn_kernel(query, axes, index, num_queries, num_points, k, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    axes += row // num_queries * 3 * num_points
    query += row * 3
    offsets = tl.arange(0, BLOCK)
    inside = offsets < num_points
    x, y, z = tl.load(query), tl.load(query + 1), tl.load(query + 2)
    distance = _squared_distance(axes, offsets, inside, num_points, x, y, z)
    # Floats that are not negative are ordered as their bits are.
    bits = tl.where(inside, distance.to(tl.int32, bitcast=True), _TAKEN)
    for rank in range(k):
        nearest = tl.argmin(bits, 0)
        tl.store(index + row * k + rank, nearest.to(tl.int64))
        bits = tl.where(offsets == nearest, _TAKEN, bits)


@triton.jit(do_not_specialize=['num_points'])
def _order_kernel(axes, order, num_points, BLOCK: tl.constexpr):
    cloud = tl.program_id(0).to(tl.int64)
    axes += cloud * 3 * num_points
    order += cloud * num_points
    offsets = tl.arange(0, BLOCK)
    inside = offsets < num_points
    fresh = inside & (offsets != 0)
    last = 0
    for step in range(1, num_points):
        x = tl.load(axes + last)
        y = tl.load(axes + num_points + last)
        z = tl.load(axes + 2 * num_points + last)
        distance = _squared_distance(axes, offsets, inside, num_points, x, y, z)
        last = tl.argmin(tl.where(fresh, distance.to(tl.int32, bitcast=True), _TAKEN), 0)
        fresh = fresh & (offsets != last)
        tl.store(order + step, last.to(tl.int64))
