"""A narrow bottleneck beside its residual on a CPU, forward and backward each in one pass; written in C.

The plain form, in :mod:`.bottleneck`, passes over the tokens five times forward and eight times backward, for products
of which each takes a tenth of a millisecond.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

from torch import Tensor
from torch.nn import functional as F

from .c_library import WIDEST_VECTOR, call, long

SOURCE = Path(__file__).with_suffix('.c')

WIDTH = 16
"""Channels inside of a bottleneck; fewer are filled up with zeros."""

ROWS_OF_A_PART, MOST_PARTS = 64, 64
"""Tokens whose gradients of weights are added up by themselves, so that the sum does not depend on the threads."""


def can_bottleneck(channels: int, width: int) -> bool:
    """Whether a bottleneck is narrow enough, and the tokens' channels fill vectors."""
    return 0 < width <= WIDTH and channels > 0 and channels % WIDEST_VECTOR == 0


def bottleneck(
    x: Tensor,
    down: Tensor,
    down_bias: Tensor,
    up: Tensor,
    up_bias: Tensor,
    kept: Tensor | None,
    scale: float,
) -> tuple[Tensor, Tensor]:
    """``x + scale * up(kept * quick_gelu(down(x)))``.

    Args:
        x (Tensor): ``(M, C)`` float32.
        down (Tensor): ``(R, C)`` weight, see :func:`can_bottleneck`.
        down_bias (Tensor): ``(R,)``.
        up (Tensor): ``(C, R)`` weight.
        up_bias (Tensor): ``(C,)``.
        kept (Tensor | None): ``(M, R)`` what dropout multiplies by.
        scale (float): Weight of what is added.

    Returns:
        tuple[Tensor, Tensor]: ``(M, C)``, and what is activated, ``(M, WIDTH)``.
    """
    size, channels = x.shape
    before, found = x.new_empty(size, WIDTH), x.new_empty(size, channels)
    inside = None if kept is None else _filled_up(kept)
    weights = _filled_up(down.T), _filled_up(down_bias), inside, _filled_up(up).T, up_bias
    call(SOURCE, 'bottleneck', x, long(size), channels, *weights, ctypes.c_float(scale), before, found)
    return found, before


def bottleneck_gradients(
    gradient: Tensor,
    x: Tensor,
    down: Tensor,
    up: Tensor,
    kept: Tensor | None,
    before: Tensor,
    scale: float,
) -> tuple[Tensor, ...]:
    """What x, down, its bias, up and its bias of :func:`bottleneck` get of the gradient (M, C)."""
    size, channels = x.shape
    width, parts = len(down), max(1, min(size // ROWS_OF_A_PART, MOST_PARTS))
    found = tuple(x.new_empty(shape) for shape in (x.shape, down.shape, width, up.shape, channels))
    sums = x.new_zeros(parts, 2 * channels * WIDTH + WIDTH + channels)
    weights = _filled_up(down.T).T, None if kept is None else _filled_up(kept), _filled_up(up)
    given = (gradient, x, long(size), channels, *weights, ctypes.c_float(scale), before, parts, sums, width)
    call(SOURCE, 'bottleneck_gradient', *given, *found)
    return found


def _filled_up(matrix: Tensor) -> Tensor:
    """A matrix (..., R) with zeros in the columns that are missing."""
    missing = WIDTH - matrix.shape[-1]
    return F.pad(matrix, (0, missing)) if missing else matrix
