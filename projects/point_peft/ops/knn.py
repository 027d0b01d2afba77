"""k nearest neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

from ..io.errors import InvalidValueError
from .backends import kernels_for
from .checks import at_least_float32, check_clouds, check_count, check_same_batch
from .compiling import indices, opaque
from .distance import squared_distance_chunks


@opaque(
    '(Tensor query, Tensor support, SymInt k) -> Tensor',
    lambda query, _, k: indices(query, query.shape[1], k),
)
@torch.no_grad()
def knn(query: Tensor, support: Tensor, k: int) -> Tensor:
    """Index of the ``k`` supports nearest to each query, by exact coordinate differences.

    Distances are float32 at least (half-precision input is upcast), also under autocast. Supports at the same
    distance come in no particular order. Memory does not grow with ``M * N``: queries are taken in chunks, or, in
    float32 on CUDA with few enough supports, one by one in a single launch.

    Args:
        query (Tensor): ``(B, M, 3)`` floating-point coordinates.
        support (Tensor): ``(B, N, 3)`` coordinates in the same unit.
        k (int): Number of neighbours; a query that is itself a support counts as its own first neighbour.

    Returns:
        Tensor: ``(B, M, k)`` int64 indices into ``support``, nearest first.

    Raises:
        ValueError: If a shape is wrong, the batches differ or ``k`` is not in ``[1, N]``.
    """
    check_clouds('query', query)
    check_clouds('support', support)
    check_same_batch('query', query, 'support', support)
    check_count('k', k)
    if k > support.shape[1]:
        raise InvalidValueError(
            f'num_points={support.shape[1]} < k={k}: the support has too few points to find neighbours; '
            'lower k / group_size or provide denser clouds'
        )
    query, support = at_least_float32(query), at_least_float32(support)
    kernels = kernels_for(support)
    if (
        kernels
        and query.dtype == support.dtype
        and support.shape[1] <= kernels.MAX_KNN_POINTS
        and k <= kernels.MAX_NEIGHBOURS
    ):
        return kernels.knn_triton(query, support, k)
    chunks = squared_distance_chunks(query, support)
    return torch.cat([distance.topk(k, largest=False).indices for distance in chunks], dim=1)
