"""Products with matrices of a few columns on a CPU, for which general products are made badly; written in C.

A general product of eight columns takes six times as long: most of the vectors that it is blocked for stay empty.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor
from torch.nn import functional as F

from .c_library import WIDEST_VECTOR, call, long

SOURCE = Path(__file__).with_suffix('.c')

COLUMNS = 8
"""What the kernels multiply with; fewer columns are filled up with zeros."""

ROWS_OF_A_PART, MOST_PARTS = 64, 64
"""Rows whose products are added up by themselves, so that the sum does not depend on the number of threads."""


def can_multiply(channels: int, rank: int) -> bool:
    """Whether matrices (rank, channels) are thin enough, and channels fill vectors."""
    return 0 < rank <= COLUMNS and channels > 0 and channels % WIDEST_VECTOR == 0


def project(many: Tensor, weight: Tensor) -> Tensor:
    """``many @ weight.T``.

    Args:
        many (Tensor): ``(M, N)`` float32.
        weight (Tensor): ``(R, N)``, see :func:`can_multiply`.

    Returns:
        Tensor: ``(M, R)``.
    """
    found, _ = _products(many, weight, None)
    return found[:, : len(weight)].contiguous()


def sum_products(many: Tensor, thin: Tensor) -> Tensor:
    """``thin.T @ many`` (R, N) of many (M, N) and thin (M, R)."""
    _, sums = _products(many, None, thin)
    return sums.T[: thin.shape[1]].contiguous()


def project_and_sum(many: Tensor, weight: Tensor, thin: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`project` and :func:`sum_products` in one pass over ``many``."""
    found, sums = _products(many, weight, thin)
    return found[:, : len(weight)].contiguous(), sums.T[: len(weight)].contiguous()


def expand(many: Tensor | None, thin: Tensor, across: Tensor) -> Tensor:
    """``thin @ across``, added to ``many`` if given.

    Args:
        many (Tensor | None): ``(M, N)`` float32.
        thin (Tensor): ``(M, R)``.
        across (Tensor): ``(R, N)``, see :func:`can_multiply`.

    Returns:
        Tensor: ``(M, N)``.
    """
    result = thin.new_empty(len(thin), across.shape[1])
    filled, rows = _filled_up(thin), _filled_up(across.T).T
    call(SOURCE, 'thin_expansion', many, filled, long(len(thin)), rows, across.shape[1], result)
    return result


def _products(many: Tensor, weight: Tensor | None, thin: Tensor | None) -> tuple[Tensor, Tensor]:
    """Columns (M, 8) that are found with the weight, and sums (N, 8) with the thin matrix; empty without."""
    size, channels = many.shape
    parts = max(1, min(size // ROWS_OF_A_PART, MOST_PARTS))
    found = many.new_empty(size if weight is not None else 0, COLUMNS)
    sums = many.new_zeros(parts if thin is not None else 0, channels, COLUMNS)
    across = None if weight is None else _filled_up(weight.T)
    filled = None if thin is None else _filled_up(thin)
    call(SOURCE, 'thin_products', many, long(size), channels, across, filled, parts, found, sums)
    return found, sums.sum(0)


def _filled_up(matrix: Tensor) -> Tensor:
    """A matrix (M, R) with zeros in the columns that are missing."""
    missing = COLUMNS - matrix.shape[1]
    return F.pad(matrix, (0, missing)) if missing else matrix
