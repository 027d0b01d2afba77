"""Squared distances between two clouds, by exact coordinate differences and in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

CPU_CHUNK = 2**18
"""Distances per chunk on a CPU: 1 MiB of float32 stays in the cache (half the time of one large matrix)."""

DEVICE_CHUNK = 2**26
"""Distances per chunk on an accelerator: 256 MiB of float32, so that usual batches need a single launch."""


@torch.no_grad()
def squared_distance(query: Tensor, support: Tensor) -> Tensor:
    """Squared Euclidean distance of every query to every support, without gradient.

    The differences are squared coordinate by coordinate. The expansion ``|q|^2 - 2 q.s + |s|^2`` is faster,
    but far from the origin it loses all digits, and it returns negative values for equal points. There is no
    matrix product here, so autocast cannot lower the precision.

    Args:
        query (Tensor): ``(B, M, 3)``.
        support (Tensor): ``(B, N, 3)``, same dtype.

    Returns:
        Tensor: ``(B, M, N)``, in squared units of the input, never negative.
    """
    return _squared_distance(query.unbind(-1), _axes(support))


@torch.no_grad()
def squared_distance_chunks(query: Tensor, support: Tensor) -> Iterator[Tensor]:
    """Rows of :func:`squared_distance`, a few queries at a time, so that memory does not grow with ``M * N``.

    Args:
        query (Tensor): ``(B, M, 3)``.
        support (Tensor): ``(B, N, 3)``, same dtype.

    Yields:
        Tensor: ``(B, m, N)`` for consecutive slices of ``m`` queries; together they cover all ``M``.
    """
    budget = CPU_CHUNK if query.device.type == 'cpu' else DEVICE_CHUNK
    num_queries = max(1, budget // max(1, support.shape[0] * support.shape[1]))
    axes = _axes(support)
    for part in query.split(num_queries, dim=1):
        yield _squared_distance(part.unbind(-1), axes)


def _axes(points: Tensor) -> Sequence[Tensor]:
    """The x, y and z of all points, each ``(B, N)``: contiguous, which makes the differences faster."""
    return points.mT.contiguous().unbind(1)


def _squared_distance(query: Sequence[Tensor], support: Sequence[Tensor]) -> Tensor:
    """``(B, M, N)`` sum of squared differences over the axes; in place, hence only without gradient."""
    differences = (q.unsqueeze(-1) - s.unsqueeze(-2) for q, s in zip(query, support, strict=True))
    total = next(differences).square_()
    for difference in differences:
        total.addcmul_(difference, difference)
    return total
