"""Attention within regions and max pooling over them on a CPU, each a single pass; written in C.

The plain forms, in :mod:`.region_attention` and :mod:`.region_pooling`, pass over all neighbourhoods a dozen times, and
their products are so small that most of a processor's lanes stay empty.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import torch
from torch import Tensor

from .c_library import WIDEST_VECTOR, call, long

SOURCE = Path(__file__).with_suffix('.c')

MAX_NEIGHBORS, MAX_HEAD_DIM, MAX_UPDATE_DIM = 64, 16, 64
"""What the kernels have room for."""

FLAGS = (
    f'-DMAX_K={MAX_NEIGHBORS}',
    f'-DMAX_HEAD={MAX_HEAD_DIM}',
    f'-DMAX_D={MAX_UPDATE_DIM}',
)


def can_attend(table: Tensor, rows: Tensor, num_heads: int) -> bool:
    """Whether :func:`attention` takes this; what has wrong shapes is for the plain form, which says so."""
    width = table.shape[1] // 3
    fits = rows.dtype == torch.int64 and table.shape[1] == 3 * width and width % num_heads == 0
    return fits and width // num_heads <= MAX_HEAD_DIM and 0 < rows.shape[1] <= MAX_NEIGHBORS


def can_pool(table: Tensor, rows: Tensor, update: Tensor, weight: Tensor) -> bool:
    """Whether :func:`maxima` takes this; as for :func:`can_attend`."""
    channels, size = weight.shape
    fits = rows.dtype == torch.int64 and table.shape[1] == channels and update.shape == (*rows.shape, size)
    small = size <= MAX_UPDATE_DIM and 0 < rows.shape[1] <= MAX_NEIGHBORS
    return fits and small and channels % WIDEST_VECTOR == 0


def attention(table: Tensor, rows: Tensor, num_heads: int) -> Tensor:
    """Scaled dot-product attention within regions.

    Args:
        table (Tensor): ``(M, 3*A)`` float32 queries, keys and values of tokens.
        rows (Tensor): ``(R, K)`` int64 tokens of each region.
        num_heads (int): Heads; divides A.

    Returns:
        Tensor: ``(R, K, A)``.

    Raises:
        IndexError: A row is outside the table.
    """
    width = table.shape[1] // 3
    found = table.new_empty(*rows.shape, width)
    _call(
        'region_attention',
        table,
        long(len(table)),
        rows,
        long(len(rows)),
        rows.shape[1],
        width,
        num_heads,
        found,
    )
    return found


def attention_gradient(gradient: Tensor, table: Tensor, rows: Tensor, num_heads: int) -> Tensor:
    """What the table (M, 3*A) of :func:`attention` gets of the gradient (R, K, A).

    Raises:
        IndexError: A row is outside the table.
    """
    near = table.new_empty(*rows.shape, table.shape[1])
    sizes = (long(len(rows)), rows.shape[1], table.shape[1] // 3, num_heads)
    _call('region_attention_gradient', gradient, table, long(len(table)), rows, *sizes, near)
    return torch.zeros_like(table).index_add_(0, rows.flatten(), near.flatten(0, 1))


def maxima(table: Tensor, rows: Tensor, update: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Maxima over each region's neighbours of ``token + weight @ update``, and the neighbours that they are of.

    Args:
        table (Tensor): ``(M, C)`` float32 tokens.
        rows (Tensor): ``(R, K)`` int64 neighbours of each region.
        update (Tensor): ``(R, K, D)``.
        weight (Tensor): ``(C, D)``.

    Returns:
        tuple[Tensor, Tensor]: ``(R, C)`` maxima and ``(R, C)`` uint8 places in 0 to K-1, of equal neighbours the first.

    Raises:
        IndexError: A row is outside the table.
    """
    pooled = table.new_empty(rows.shape[0], table.shape[1])
    places = torch.empty_like(pooled, dtype=torch.uint8)
    of_table = (table, long(len(table)), table.shape[1], rows, long(len(rows)), rows.shape[1])
    _call('region_maxima', *of_table, update, update.shape[2], weight.T, pooled, places)
    return pooled, places


def maxima_gradient(
    gradient: Tensor, table_rows: int, rows: Tensor, places: Tensor, update: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """What the table, the update and the weight of :func:`maxima` get of the gradient (R, C) of the maxima.

    Raises:
        IndexError: A row is outside the table.
    """
    for_table = gradient.new_zeros(table_rows, gradient.shape[1])
    for_update = update.new_empty(update.shape)
    for_weight = weight.new_empty(weight.shape)
    sizes = (long(table_rows), gradient.shape[1], rows, long(len(rows)), rows.shape[1])
    written = (for_table, for_update, for_weight)
    _call('region_maxima_gradient', gradient, *sizes, places, update, weight, update.shape[2], *written)
    return for_table, for_update, for_weight


def _call(name: str, *arguments: Tensor | ctypes.c_int64 | int) -> None:
    if call(SOURCE, name, *arguments, flags=FLAGS):
        raise IndexError('a region has a token that is outside the table')
