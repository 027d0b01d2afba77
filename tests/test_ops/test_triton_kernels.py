"""The kernels in Triton against the plain forms: on a GPU, or else in Triton's interpreter, which needs none."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from point_peft import ops
from point_peft.ops import backends

pytest.importorskip('triton', reason='needs a GPU, or Triton for its interpreter')

INTERPRETED = os.environ.get('TRITON_INTERPRET') == '1'
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
runs = pytest.mark.skipif(DEVICE == 'cpu' and not INTERPRETED, reason="needs a GPU or Triton's interpreter")


@pytest.mark.skipif(DEVICE == 'cuda' or INTERPRETED, reason='the kernels run here')
def test_in_the_interpreter() -> None:
    """Triton decides when it is imported whether it interprets."""
    command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', __file__]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, 'TRITON_INTERPRET': '1'}
    )
    assert done.returncode == 0, done.stdout
    assert ' passed' in done.stdout and 'failed' not in done.stdout


def clouds(batch: int, num_points: int, seed: int = 0) -> Tensor:
    return torch.randn(batch, num_points, 3, generator=torch.Generator().manual_seed(seed))


@runs
@pytest.mark.parametrize(('num_points', 'num_samples'), [(1, 1), (100, 20), (130, 130), (5000, 12)])
def test_farthest_points_are_those_of_the_loop(num_points: int, num_samples: int) -> None:
    """To the index, where the last chunk is not full too."""
    from point_peft.ops.triton_kernels import farthest_point_sample_triton

    points = clouds(3, num_points)
    found = farthest_point_sample_triton(points.to(DEVICE), num_samples).cpu()
    assert torch.equal(found, ops.farthest_point_sample_loop(points, num_samples))


@runs
def test_the_lowest_index_wins_a_tie() -> None:
    """Of integer coordinates many are equally far, and once all are taken the first is."""
    from point_peft.ops.triton_kernels import farthest_point_sample_triton, greedy_order_triton

    points = torch.randint(0, 3, (2, 60, 3), generator=torch.Generator().manual_seed(1)).float()
    assert torch.equal(
        farthest_point_sample_triton(points.to(DEVICE), 60).cpu(), ops.farthest_point_sample_loop(points, 60)
    )
    assert torch.equal(greedy_order_triton(points.to(DEVICE)).cpu(), ops.greedy_order(points))


@runs
@pytest.mark.parametrize(('num_points', 'k'), [(1, 1), (33, 33), (200, 16)])
def test_neighbours_are_the_nearest_in_order(num_points: int, k: int) -> None:
    """Each index once."""
    from point_peft.ops.triton_kernels import knn_triton

    query, support = clouds(2, 7), clouds(2, num_points, seed=1)
    found = knn_triton(query.to(DEVICE), support.to(DEVICE), k).cpu()
    assert torch.equal(found, ops.squared_distance(query, support).topk(k, largest=False).indices)


@runs
def test_supports_that_are_infinitely_far_are_neighbours_once() -> None:
    """Squares of 1e30 overflow."""
    from point_peft.ops.triton_kernels import knn_triton

    far = torch.full((1, 2, 3), 1e30, device=DEVICE)
    found = knn_triton(far, torch.zeros(1, 5, 3, device=DEVICE), 5).cpu()
    assert torch.equal(found.sort().values, torch.arange(5).expand(1, 2, 5))


@runs
@pytest.mark.parametrize('size', [1, 2, 50])
def test_order_is_that_of_the_plain_form(size: int) -> None:
    """To the index."""
    from point_peft.ops.triton_kernels import greedy_order_triton

    points = clouds(3, size)
    assert torch.equal(greedy_order_triton(points.to(DEVICE)).cpu(), ops.greedy_order(points))


@pytest.mark.skipif(DEVICE == 'cpu', reason='needs a GPU')
def test_a_gpu_is_given_them() -> None:
    """Nobody asks for them."""
    points = clouds(2, 300).cuda()
    assert backends.kernels_for(points) and not backends.kernels_for(points.double())
    assert torch.equal(
        ops.farthest_point_sample(points, 30).cpu(), ops.farthest_point_sample(points.cpu(), 30)
    )


@pytest.mark.parametrize('error', [RuntimeError('no C compiler'), subprocess.CalledProcessError(1, 'ptxas')])
def test_where_triton_compiles_nothing_the_plain_forms_compute(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """And it is said."""
    messages: list[str] = []
    monkeypatch.setattr(backends, 'print_log', lambda message, **_: messages.append(message))

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(backends.torch, 'zeros', fail)
    assert backends.triton_kernels.__wrapped__() is None
    assert len(messages) == 1 and f'Triton is installed but compiles nothing here ({error})' in messages[0]
