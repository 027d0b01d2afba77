"""Putting points in a row."""

from __future__ import annotations

import torch
from torch import Tensor

from .backends import kernels_for
from .checks import at_least_float32, check_clouds
from .compiling import indices, opaque
from .distance import squared_distance


@opaque('(Tensor points) -> Tensor', lambda points: indices(points, points.shape[1]))
@torch.no_grad()
def greedy_order(points: Tensor) -> Tensor:
    """Visit the points of each cloud from neighbour to neighbour, starting at index 0; the lowest index wins a tie.

    Args:
        points (Tensor): ``(B, G, 3)`` floating-point coordinates.

    Returns:
        Tensor: ``(B, G)`` int64, a permutation of each cloud's points.

    Raises:
        ValueError: If ``points`` is not ``(B, G, 3)``.

    Source: PointGPT (arXiv 2305.11487), section 3.1; its code visits greedily instead of sorting by Morton code.
    """
    check_clouds('points', points)
    points = at_least_float32(points)
    if kernels := kernels_for(points):
        return kernels.greedy_order_triton(points)
    batch, size, _ = points.shape
    distance = squared_distance(points, points)  # (B, G, G); a visited point is infinitely far from all
    order = torch.zeros(batch, size, dtype=torch.int64, device=points.device)
    for step in range(1, size):
        last = order[:, step - 1].view(-1, 1, 1)
        distance.scatter_(2, last.expand(-1, size, -1), float('inf'))
        order[:, step] = distance.gather(1, last.expand(-1, -1, size)).squeeze(1).argmin(dim=1)
    return order


@torch.no_grad()
def morton_order(points: Tensor, cells_per_unit: float, *, num_bits: int = 16) -> Tensor:
    """Order the points of each cloud along a space-filling curve (Morton codes); in one cell, as they come.

    Args:
        points (Tensor): ``(B, G, 3)`` floating-point coordinates.
        cells_per_unit (float): Cells per unit of the coordinates, counted from the least of each axis.
        num_bits (int): Bits of each axis; what is beyond them counts as the last cell.

    Returns:
        Tensor: ``(B, G)`` int64, a permutation of each cloud's points.

    Raises:
        ValueError: If ``points`` is not ``(B, G, 3)``.
    """
    check_clouds('points', points)
    points = at_least_float32(points)
    cells = (points - points.amin(dim=1, keepdim=True)) * cells_per_unit
    cells = cells.round().clamp(max=2**num_bits - 1).long()
    code = torch.zeros_like(cells[..., 0])
    for bit in range(num_bits):
        for axis in range(3):
            code |= (cells[..., axis] >> bit & 1) << 3 * bit + axis
    return code.argsort(dim=1, stable=True)
