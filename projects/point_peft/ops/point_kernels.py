"""Farthest point sampling on a CPU without a call of torch per pick; written in C."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from .c_library import WIDEST_VECTOR, call, long

SOURCE = Path(__file__).with_suffix('.c')

FLAGS = ('-ffp-contract=off',)
"""Products and sums are not fused: every distance is rounded as by torch."""


def farthest_point_sample_in_c(points: Tensor, num_samples: int) -> Tensor:
    """:func:`point_peft.ops.farthest_point_sample_loop`, a cloud per thread.

    Args:
        points (Tensor): ``(B, N, 3)`` float32.
        num_samples (int): K, at most N.

    Returns:
        Tensor: ``(B, K)`` int64 indices in the order of the picks.
    """
    batch, size, _ = points.shape
    space = points.new_empty(batch, 4, -(-size // WIDEST_VECTOR) * WIDEST_VECTOR)
    picks = torch.empty(batch, num_samples, dtype=torch.int64)
    call(SOURCE, 'farthest_points', points, long(batch), size, num_samples, space, picks, flags=FLAGS)
    return picks
