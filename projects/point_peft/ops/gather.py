"""Batched look-up of rows by index."""

from __future__ import annotations

import torch
from torch import Tensor

from ..io.errors import InvalidValueError
from .checks import check_same_batch
from .opaque import is_compiling


def gather(features: Tensor, index: Tensor) -> Tensor:
    """Rows of each sample, by indices into that same sample; differentiable with respect to ``features``.

    Callers never meet a stride: where samples begin is taken from ``features`` in here. On a CPU the rows of all
    samples are selected as one list, after the indices were checked (with two threads the backward takes 0.5 ms
    against 8.5 ms of ``features[batch, index]``, 8 x 64 x 16 rows of 384). Elsewhere such a check would wait for the
    device, so the batch position is an index of its own, and no index can reach another sample.

    Args:
        features (Tensor): ``(B, N, C)``.
        index (Tensor): ``(B, ...)`` int64 in ``[0, N)``.

    Returns:
        Tensor: ``(B, ..., C)``, dtype of ``features``.

    Raises:
        ValueError: If ``features`` is not ``(B, N, C)``, the batches differ or ``index`` is not int64.
        IndexError: If an index is outside ``[0, N)``; on a CPU at once (RuntimeError in a compiled graph), elsewhere
            as the device reports it.
    """
    if features.ndim != 3:
        raise InvalidValueError(
            f'features has shape {tuple(features.shape)}, expected (B, N, C); add the missing dimension'
        )
    if index.dtype != torch.int64:
        raise InvalidValueError(f'index has dtype {index.dtype}, expected torch.int64; call `.long()` first')
    check_same_batch('features', features, 'index', index)
    if features.device.type == 'cpu':
        rows = flat_rows(features, index)
        return features.flatten(0, 1).index_select(0, rows.flatten()).view(*index.shape, features.shape[2])
    return features[_batch_position(index), index]


def flat_rows(features: Tensor, index: Tensor) -> Tensor:
    """Positions of rows in the list of all samples' rows, ``features.flatten(0, 1)``.

    Args:
        features (Tensor): ``(B, N, C)``.
        index (Tensor): ``(B, ...)`` int64 in ``[0, N)``.

    Returns:
        Tensor: ``(B, ...)`` int64 in ``[0, B * N)``.

    Raises:
        IndexError: On a CPU, if an index is outside ``[0, N)``.
    """
    if features.device.type == 'cpu':
        _check_range(index, features.shape[1])
    return index + _batch_position(index) * features.shape[1]


def _batch_position(index: Tensor) -> Tensor:
    """Number of each sample, shaped to go along with ``index``."""
    return torch.arange(index.shape[0], device=index.device).view(-1, *[1] * (index.ndim - 1))


def _check_range(index: Tensor, size: int) -> None:
    """Refuse indices that would reach another sample."""
    if is_compiling():
        inside = ((index >= 0) & (index < size)).all()  # a graph cannot branch on it
        torch._assert_async(inside, f'an index is outside the {size} rows of its sample')
        return
    if not index.numel():
        return
    low, high = index.aminmax()
    if low < 0 or high >= size:
        raise IndexError(
            f'index reaches from {int(low)} to {int(high)}, but a sample has rows 0 to {size - 1}'
        )
