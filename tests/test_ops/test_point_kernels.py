"""Farthest point sampling in C against the plain form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from point_peft import ops
from point_peft.experiments.operations import OperationCounter
from point_peft.ops import backends, c_library
from point_peft.ops.point_kernels import farthest_point_sample_in_c

pytestmark = pytest.mark.skipif(
    c_library.compiler() is None, reason='needs Linux, an x86 processor with AVX2 and a C compiler'
)


def clouds(batch: int, num_points: int) -> Tensor:
    return torch.randn(batch, num_points, 3, generator=torch.Generator().manual_seed(num_points))


@pytest.mark.parametrize(
    ('num_points', 'num_samples'),
    [(1, 1), (7, 7), (16, 5), (33, 33), (100, 20), (2048, 128), (2048, 300), (5000, 12)],
)
def test_picks_are_those_of_the_loop(num_points: int, num_samples: int) -> None:
    """To the index, where the last vector is not full too, and of points in any layout."""
    points = clouds(3, num_points)
    expected = ops.farthest_point_sample_loop(points, num_samples)
    assert torch.equal(farthest_point_sample_in_c(points, num_samples), expected)
    assert torch.equal(farthest_point_sample_in_c(points.mT.contiguous().mT, num_samples), expected)
    assert torch.equal(ops.farthest_point_sample(points, num_samples), expected)


def test_the_lowest_index_wins_a_tie() -> None:
    """Of integer coordinates many are equally far, and once all are taken the first is."""
    points = torch.randint(0, 3, (4, 61, 3), generator=torch.Generator().manual_seed(1)).float()
    assert torch.equal(farthest_point_sample_in_c(points, 61), ops.farthest_point_sample_loop(points, 61))


def test_what_is_not_finite() -> None:
    """Is picked as by the loop: NaN counts as the farthest."""
    points = clouds(4, 50)
    points[0, 30, 1] = points[0, 41, 2] = points[1, 0, 0] = float('nan')
    points[2, 20, 0], points[3, :, 2] = float('inf'), float('-inf')
    assert torch.equal(farthest_point_sample_in_c(points, 50), ops.farthest_point_sample_loop(points, 50))


def test_chosen_by_dtype_and_counted() -> None:
    """Float32 on a CPU, a single operation for counters; float64 is for the loop."""
    assert (
        backends.point_kernels_for(clouds(1, 5)) and backends.point_kernels_for(clouds(1, 5).double()) is None
    )
    with OperationCounter() as counter:
        ops.farthest_point_sample(clouds(2, 300), 200)
    assert counter.computing['farthest_points'] == 1 and counter.computing.total() < 20
