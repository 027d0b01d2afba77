"""Max pooling over neighbourhoods of tokens, without ever holding all neighbourhoods at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .backends import region_kernels_for
from .compiling import opaque
from .pooling import LARGEST_BYTE

CHUNK_ROWS = {'cpu': 2**13}
"""Neighbours that are handled at a time: not many more than stay in a CPU's cache."""

LARGE_CHUNK_ROWS = 2**17
"""The same on other devices, in effect all."""


def region_max_pool(tokens: Tensor, rows: Tensor, update: Tensor, weight: Tensor) -> Tensor:
    """Maximum over each region's neighbours of ``token + weight @ update``, differentiable.

    The same as ``(take_rows(tokens, rows) + update @ weight.T).max(2).values``: of equal neighbours the first gets the
    gradient. The (B, S, K, C) neighbourhoods are made, used and forgotten part by part; for the backward one byte per
    value of the result is kept beside ``update``, which says which neighbour it is.

    Args:
        tokens (Tensor): ``(B, N, C)``.
        rows (Tensor): ``(B, S, K)`` int64, neighbours of each region in the list of all tokens, see :func:`flat_rows`.
        update (Tensor): ``(B, S, K, D)`` what each neighbour receives, before its projection.
        weight (Tensor): ``(C, D)`` the projection.

    Returns:
        Tensor: ``(B, S, C)``.
    """
    table, update = tokens.flatten(0, 1), update.flatten(0, 1).to(tokens.dtype)
    pool = _RegionMaxPool.apply if torch.is_grad_enabled() else _region_maxima
    return pool(table, rows.flatten(0, 1), update, weight.to(tokens.dtype)).unflatten(0, rows.shape[:2])


class _RegionMaxPool(torch.autograd.Function):
    """The pooling on flat tensors: table (M, C), rows (R, K), update (R, K, D), weight (C, D)."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, update: Tensor, weight: Tensor) -> Tensor:
        """Pool part by part, and note where the maxima are."""
        pooled, places = _region_maxima_and_places(table, rows, update, weight)
        ctx.save_for_backward(rows, places, update, weight)
        ctx.table_rows = table.shape[0]
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, Tensor, Tensor]:
        """Send the gradient of each maximum to its token, its update and the weight."""
        with torch.autocast(gradient.device.type, enabled=False):
            for_table, for_update, for_weight = _region_gradients(
                gradient, ctx.table_rows, *ctx.saved_tensors
            )
        return for_table, None, for_update, for_weight


@opaque(
    '(Tensor table, Tensor rows, Tensor update, Tensor weight) -> Tensor',
    lambda table, rows, *_: table.new_empty(rows.shape[0], table.shape[1]),
)
def _region_maxima(table: Tensor, rows: Tensor, update: Tensor, weight: Tensor) -> Tensor:
    """The maxima (R, C), part by part."""
    kernels = region_kernels_for(table)
    if kernels and kernels.can_pool(table, rows, update, weight):
        return kernels.maxima(table, rows, update, weight)[0]
    pooled = table.new_empty(rows.shape[0], table.shape[1])
    for part in _parts(rows):
        torch.amax(_neighborhoods(table, rows[part], update[part], weight), dim=1, out=pooled[part])
    return pooled


@opaque(
    '(Tensor table, Tensor rows, Tensor update, Tensor weight) -> (Tensor, Tensor)',
    lambda table, rows, *_: (
        table.new_empty(rows.shape[0], table.shape[1]),
        table.new_empty(rows.shape[0], table.shape[1], dtype=_place_type(rows)),
    ),
)
def _region_maxima_and_places(
    table: Tensor, rows: Tensor, update: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """The maxima (R, C), and the neighbour in 0 to K-1 that each of them is of."""
    kernels = region_kernels_for(table)
    if kernels and kernels.can_pool(table, rows, update, weight):
        return kernels.maxima(table, rows, update, weight)
    found = [_first_maxima(_neighborhoods(table, rows[part], update[part], weight)) for part in _parts(rows)]
    pooled, places = (parts[0] if len(found) == 1 else torch.cat(parts) for parts in zip(*found))
    return pooled, places.to(_place_type(rows))


@opaque(
    '(Tensor gradient, SymInt table_rows, Tensor rows, Tensor places, Tensor update, Tensor weight) '
    '-> (Tensor, Tensor, Tensor)',
    lambda gradient, table_rows, _, __, update, weight: (
        gradient.new_empty(table_rows, gradient.shape[1]),
        update.new_empty(update.shape),
        torch.empty_like(weight),
    ),
)
def _region_gradients(
    gradient: Tensor, table_rows: int, rows: Tensor, places: Tensor, update: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """What table (M, C), update (R, K, D) and weight (C, D) get of the gradient (R, C), part by part."""
    kernels = region_kernels_for(gradient)
    if kernels and kernels.can_pool(gradient, rows, update, weight):
        return kernels.maxima_gradient(gradient, table_rows, rows, places, update, weight)
    for_table = gradient.new_zeros(table_rows, gradient.shape[1])
    for_update = update.new_empty(
        update.shape
    )  # contiguous, whatever ``update`` is: its rows are written below
    for_weight = torch.zeros_like(weight)
    for part in _parts(rows):
        place = places[part].long()
        for_table.scatter_add_(0, rows[part].gather(1, place), gradient[part])
        near = gradient.new_zeros(*rows[part].shape, gradient.shape[1])
        near = near.scatter_(1, place.unsqueeze(1), gradient[part].unsqueeze(1)).flatten(0, 1)
        torch.mm(near, weight, out=for_update[part].flatten(0, 1))
        for_weight.addmm_(near.T, update[part].flatten(0, 1))
    return for_table, for_update, for_weight


def _neighborhoods(table: Tensor, rows: Tensor, update: Tensor, weight: Tensor) -> Tensor:
    """Neighbours (R, K, C) of some regions, each with what it receives."""
    near = table.index_select(0, rows.flatten())
    return near.addmm_(update.flatten(0, 1), weight.T).view(*rows.shape, -1)


def _first_maxima(near: Tensor) -> tuple[Tensor, Tensor]:
    """Maxima (R, C) over the neighbours (R, K, C) and the first neighbours that have them."""
    if near.device.type != 'cpu':
        return near.max(dim=1)
    # The pooling of images finds positions 17 times faster there than ``max`` does.
    as_images = near.unsqueeze(2).permute(0, 3, 1, 2)  # (R, C, K, 1), channels last in memory
    pooled, places = F.max_pool2d(as_images, (near.shape[1], 1), return_indices=True)
    return pooled.flatten(1), places.flatten(1)


def _place_type(rows: Tensor) -> torch.dtype:
    """The smallest type for places among the neighbours (R, K)."""
    return torch.uint8 if rows.shape[1] <= LARGEST_BYTE + 1 else torch.int32


def _parts(rows: Tensor) -> Iterator[slice]:
    """Slices of regions (R, K) of about a chunk's size."""
    size = max(1, CHUNK_ROWS.get(rows.device.type, LARGE_CHUNK_ROWS) // rows.shape[1])
    for start in range(0, rows.shape[0], size):
        yield slice(start, start + size)
