"""Farthest point sampling (FPS), with the fastest back end that the device offers."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from ..io.errors import InvalidValueError
from .backends import kernels_for, optional_module, point_kernels_for
from .checks import at_least_float32, check_clouds, check_count
from .compiling import indices, opaque

Sampler = Callable[[Tensor, int], Tensor]

MIN_BUCKET_WORK = 2**21
"""Point pairs per cloud (N * num_samples) from which the bucketed CPU back end is worth its tie rule."""


@opaque('(Tensor points, SymInt num_samples) -> Tensor', lambda points, count: indices(points, count))
@torch.no_grad()
def farthest_point_sample(points: Tensor, num_samples: int) -> Tensor:
    """Pick points one by one, each the farthest from all points picked before; the first pick is index 0.

    Back ends, chosen here so that no caller has to ask: float32 on CUDA uses our kernel in Triton, which takes one
    launch, or mmcv's where there is mmcv with its operations and no Triton; float32 on a CPU uses our kernel in C
    where a compiler is at hand, else the bucketed sampler of ``torch_quickfps`` for large clouds (``N * num_samples
    >= 2**21``, where it is 3 to 20 times faster than the loop); everything else, float64 included, uses
    :func:`farthest_point_sample_loop`. They differ only where two candidates are equally far in float32: the loop, C
    and Triton take the lowest index, the others take one of the candidates (and mmcv's fused arithmetic may round two
    nearly equal distances the other way). So the groupings of a network (2048 points, 128 groups) are the same on
    every CPU, whatever is installed. Once all distinct points are taken, the picks that remain are duplicates.

    Unlike the CUDA kernel of ``pointnet2_ops``, no back end skips the points with ``|p|^2 <= 1e-3``: a point
    near the origin is a point.

    Args:
        points (Tensor): ``(B, N, 3)`` floating-point coordinates in any unit; half precision is upcast.
        num_samples (int): K, the number of picks of each cloud.

    Returns:
        Tensor: ``(B, K)`` int64 indices in the order of the picks.

    Raises:
        ValueError: If ``points`` is not ``(B, N, 3)`` or ``num_samples`` is not in ``[1, N]``.

    Source: Qi et al., PointNet++ (NeurIPS 2017), section 3.2, sampling layer.
    """
    check_clouds('points', points)
    check_count('num_samples', num_samples)
    if num_samples > points.shape[1]:
        raise InvalidValueError(
            f'num_points={points.shape[1]} < num_samples={num_samples}: too few points to sample; '
            'lower num_groups / num_points or provide denser clouds'
        )
    points = _unit_extent(at_least_float32(points))
    return _backend(points, num_samples)(points, num_samples)


@torch.no_grad()
def farthest_point_sample_loop(points: Tensor, num_samples: int) -> Tensor:
    """Farthest point sampling in plain torch; the lowest index wins a tie.

    Runs on any device, without host synchronisation.

    Args:
        points (Tensor): ``(B, N, 3)`` float32 or float64.
        num_samples (int): K, at most N.

    Returns:
        Tensor: ``(B, K)`` int64 indices in the order of the picks.
    """
    axes = points.mT.contiguous()  # (B, 3, N)
    nearest = axes.new_full((axes.shape[0], axes.shape[2]), float('inf'))
    index = torch.zeros(axes.shape[0], num_samples, dtype=torch.int64, device=axes.device)
    difference = torch.empty_like(axes)
    for step in range(1, num_samples):
        last = index[:, step - 1, None, None].expand(-1, axes.shape[1], -1)
        torch.sub(axes, axes.gather(2, last), out=difference)
        # Summed in a fixed order: a reduction may round differently on another device.
        x, y, z = difference.square_().unbind(1)
        torch.minimum(nearest, x.add_(y).add_(z), out=nearest)
        torch.argmax(nearest, 1, out=index[:, step])
    return index


def _backend(points: Tensor, num_samples: int) -> Sampler:
    """The fastest sampler for the device, dtype and size of ``points``."""
    sampler = None
    if kernels := kernels_for(points):
        sampler = kernels.farthest_point_sample_triton
    elif points.dtype == torch.float32 and points.is_cuda:
        sampler = mmcv_sampler()
    elif in_c := point_kernels_for(points):
        sampler = in_c.farthest_point_sample_in_c
    elif points.dtype == torch.float32 and points.device.type == 'cpu':
        sampler = quickfps_sampler() if points.shape[1] * num_samples >= MIN_BUCKET_WORK else None
    return sampler or farthest_point_sample_loop


def _unit_extent(points: Tensor) -> Tensor:
    """Scale each cloud by a power of two, so that its largest coordinate lies in [0.5, 1).

    This is exact, so it changes no pick, but squares of 1e-25 no longer underflow, squares of 1e25 no longer
    overflow, and mmcv's kernel, which starts from a "far" distance of 1e10, works in any unit.
    """
    extent = points.abs().amax(dim=(1, 2), keepdim=True).clamp_min(torch.finfo(points.dtype).tiny)
    return points * (torch.frexp(extent).mantissa / extent)


@functools.cache
def mmcv_sampler() -> Sampler | None:
    """mmcv's CUDA kernel, or None where mmcv is absent, lacks its operations or was built without CUDA."""
    ops = optional_module('mmcv.ops')
    if ops is None or ops.get_compiling_cuda_version() == 'not available':
        return None

    def sample(points: Tensor, num_samples: int) -> Tensor:
        with torch.cuda.device(points.device):  # the kernel allocates its output on the current device
            return ops.furthest_point_sample(points.contiguous(), num_samples).long()

    return sample


@functools.cache
def quickfps_sampler() -> Sampler | None:
    """The KD-tree buckets of ``torch_quickfps``, started at index 0 and not at random; None where absent."""
    module = optional_module('torch_quickfps')
    return None if module is None else functools.partial(module.sample_idx, start_idx=0)
