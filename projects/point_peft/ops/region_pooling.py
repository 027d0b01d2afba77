"""Max pooling over neighbourhoods of tokens, without ever holding all neighbourhoods at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from .compiling import opaque

CHUNK_ROWS = {'cpu': 2**10}
"""Neighbours that are handled at a time: as many as stay in a CPU's cache."""

LARGE_CHUNK_ROWS = 2**17
"""The same on other devices, in effect all."""


def region_max_pool(tokens: Tensor, rows: Tensor, update: Tensor, weight: Tensor) -> Tensor:
    """Maximum over each region's neighbours of ``token + weight @ update``, differentiable.

    The same as ``(take_rows(tokens, rows) + update @ weight.T).amax(2)``. The (B, S, K, C) neighbourhoods are made,
    used and forgotten part by part, while they are in the cache, in the backward too.

    Args:
        tokens (Tensor): ``(B, N, C)``.
        rows (Tensor): ``(B, S, K)`` int64, neighbours of each region in the list of all tokens, see :func:`flat_rows`.
        update (Tensor): ``(B, S, K, D)`` what each neighbour receives, before its projection.
        weight (Tensor): ``(C, D)`` the projection.

    Returns:
        Tensor: ``(B, S, C)``.
    """
    table, update = tokens.flatten(0, 1), update.flatten(0, 1).to(tokens.dtype)
    pooled = _RegionMaxPool.apply(table, rows.flatten(0, 1), update, weight.to(tokens.dtype))
    return pooled.unflatten(0, rows.shape[:2])


class _RegionMaxPool(torch.autograd.Function):
    """The pooling on flat tensors: table (M, C), rows (R, K), update (R, K, D), weight (C, D).

    The backward makes the neighbourhoods again: a mask of the maxima would be the largest tensor that is kept, and
    takes as long to write.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, update: Tensor, weight: Tensor) -> Tensor:
        """Pool part by part."""
        ctx.save_for_backward(table, rows, update, weight)
        return _region_maxima(table, rows, update, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, Tensor, Tensor]:
        """Send the gradient of each maximum to its token, its update and the weight."""
        with torch.autocast(gradient.device.type, enabled=False):
            for_table, for_update, for_weight = _region_gradients(gradient, *ctx.saved_tensors)
        return for_table, None, for_update, for_weight


@opaque(
    '(Tensor table, Tensor rows, Tensor update, Tensor weight) -> Tensor',
    lambda table, rows, *_: table.new_empty(rows.shape[0], table.shape[1]),
)
def _region_maxima(table: Tensor, rows: Tensor, update: Tensor, weight: Tensor) -> Tensor:
    """The maxima (R, C), part by part."""
    pooled = table.new_empty(rows.shape[0], table.shape[1])
    for part in _parts(rows):
        torch.amax(_neighborhoods(table, rows[part], update[part], weight), dim=1, out=pooled[part])
    return pooled


@opaque(
    '(Tensor gradient, Tensor table, Tensor rows, Tensor update, Tensor weight) -> (Tensor, Tensor, Tensor)',
    lambda _, table, __, update, weight: (
        torch.empty_like(table),
        torch.empty_like(update),
        torch.empty_like(weight),
    ),
)
def _region_gradients(
    gradient: Tensor, table: Tensor, rows: Tensor, update: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """What table (M, C), update (R, K, D) and weight (C, D) get of the gradient (R, C), part by part."""
    for_table, for_update = torch.zeros_like(table), torch.empty_like(update)
    for_weight = torch.zeros_like(weight)
    for part in _parts(rows):
        near = _neighborhoods(table, rows[part], update[part], weight)
        near.eq_(near.amax(dim=1, keepdim=True))  # in floats: comparing into bytes takes three times as long
        near.mul_((gradient[part] / near.sum(dim=1)).unsqueeze(1))  # ties share alike
        near = near.flatten(0, 1)
        for_table.scatter_add_(0, rows[part].reshape(-1, 1).expand_as(near), near)
        for_update[part] = (near @ weight).view_as(update[part])
        for_weight.addmm_(near.T, update[part].flatten(0, 1))
    return for_table, for_update, for_weight


def _neighborhoods(table: Tensor, rows: Tensor, update: Tensor, weight: Tensor) -> Tensor:
    """Neighbours (R, K, C) of some regions, each with what it receives."""
    near = table.index_select(0, rows.flatten())
    return near.addmm_(update.flatten(0, 1), weight.T).view(*rows.shape, -1)


def _parts(rows: Tensor) -> Iterator[slice]:
    """Slices of regions (R, K) of about a chunk's size."""
    size = max(1, CHUNK_ROWS.get(rows.device.type, LARGE_CHUNK_ROWS) // rows.shape[1])
    for start in range(0, rows.shape[0], size):
        yield slice(start, start + size)
