"""Weighted sums of rows, without ever holding the rows of all sums at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..io.errors import InvalidValueError
from .compiling import opaque
from .gather import check_rows, flat_rows


def weighted_gather(features: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """Sum over k of ``weights[..., k] * features[index[..., k]]``, within each sample.

    The same as ``(gather(features, index) * weights.unsqueeze(-1)).sum(2)``, in float32 at least whatever autocast
    says, so that weights go on adding up to one. Neither direction holds the (B, N, K, C) rows, and the backward keeps
    only index and weights. It adds in a fixed order, so results do not change from run to run.

    Args:
        features (Tensor): ``(B, S, C)``; the result is differentiable with respect to them.
        index (Tensor): ``(B, N, K)`` int64 in ``[0, S)``.
        weights (Tensor): ``(B, N, K)``, constants: they get no gradient.

    Returns:
        Tensor: ``(B, N, C)``, dtype of ``features``.

    Raises:
        ValueError: If a shape or dtype is wrong or the batches differ.
        IndexError: If an index is outside ``[0, S)``; on a CPU alone (RuntimeError in a compiled graph).
    """
    check_rows(features, index)
    _check_weights(index, weights)
    dtype = torch.promote_types(torch.float32, features.dtype)
    rows = flat_rows(index, features.shape[1]).flatten(0, 1)  # (B*N, K)
    sums = _WeightedRows.apply(features.flatten(0, 1).to(dtype), rows, weights.flatten(0, 1).to(dtype))
    return sums.to(features.dtype).unflatten(0, index.shape[:2])


def weighted_scatter(sums: Tensor, index: Tensor, weights: Tensor, size: int) -> Tensor:
    """Transpose of :func:`weighted_gather`: what its features get of the gradient of its sums.

    Row s of the result adds up ``weights[..., k] * sums`` over all sums and k with ``index[..., k] == s``. For backward
    passes that are written by hand; it is computed as there, and has no gradient of its own.

    Args:
        sums (Tensor): ``(B, N, C)``.
        index (Tensor): ``(B, N, K)`` int64 in ``[0, S)``.
        weights (Tensor): ``(B, N, K)``.
        size (int): S.

    Returns:
        Tensor: ``(B, S, C)``, dtype of ``sums``.

    Raises:
        ValueError: If a shape or dtype is wrong or the batches differ.
        IndexError: If an index is outside ``[0, S)``; on a CPU alone (RuntimeError in a compiled graph).
    """
    check_rows(sums, index)
    _check_weights(index, weights)
    if sums.shape[1] != index.shape[1]:
        raise InvalidValueError(
            f'sums has shape {tuple(sums.shape)} but index {tuple(index.shape)}; give a row for each sum'
        )
    dtype = torch.promote_types(torch.float32, sums.dtype)
    rows, gradient = flat_rows(index, size).flatten(0, 1), sums.detach().flatten(0, 1).to(dtype)
    taken = weights.detach().flatten(0, 1).to(dtype)
    result = _weighted_rows_gradient(gradient, sums.shape[0] * size, rows, taken)
    return result.to(sums.dtype).unflatten(0, (sums.shape[0], size))


def _check_weights(index: Tensor, weights: Tensor) -> None:
    """Refuse weights that are not those of the rows that are taken."""
    if index.ndim != 3 or weights.shape != index.shape:
        raise InvalidValueError(
            f'index has shape {tuple(index.shape)} and weights {tuple(weights.shape)}, expected (B, N, K) of both; '
            'give one weight for each row that is taken'
        )


class _WeightedRows(torch.autograd.Function):
    """The sums on flat tensors: table (M, C), rows (R, K), weights (R, K)."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
        """Add up."""
        ctx.save_for_backward(rows, weights)
        ctx.table_rows = table.shape[0]
        return _weighted_rows(table, rows, weights)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Send each sum's gradient to its rows."""
        return _weighted_rows_gradient(gradient, ctx.table_rows, *ctx.saved_tensors), None, None


@opaque(
    '(Tensor table, Tensor rows, Tensor weights) -> Tensor',
    lambda table, rows, _: table.new_empty(rows.shape[0], table.shape[1]),
)
def _weighted_rows(table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Sums (R, C) of rows (R, K) of the table (M, C)."""
    return F.embedding_bag(rows, table, per_sample_weights=weights, mode='sum')


@opaque(
    '(Tensor gradient, SymInt table_rows, Tensor rows, Tensor weights) -> Tensor',
    lambda gradient, table_rows, _, __: gradient.new_empty(table_rows, gradient.shape[1]),
)
def _weighted_rows_gradient(gradient: Tensor, table_rows: int, rows: Tensor, weights: Tensor) -> Tensor:
    """What the table (M, C) gets of the gradient (R, C): for each of its rows, a sum over those that took it.

    That is again a weighted sum of rows, several times faster than adding to the table in the order of ``rows``.
    """
    ordered, order = rows.flatten().sort(stable=True)
    starts = torch.searchsorted(ordered, torch.arange(table_rows, device=rows.device))  # (M,)
    takers = order // rows.shape[1]
    return F.embedding_bag(
        takers, gradient.contiguous(), starts, per_sample_weights=weights.flatten()[order], mode='sum'
    )
