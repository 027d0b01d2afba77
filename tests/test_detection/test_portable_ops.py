"""The operations on a CPU against slow references."""

import sys
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

pytest.importorskip('mmdet3d')
sys.path.insert(0, str(Path(__file__).resolve().parent))

import reference_ops as reference  # noqa: E402
from mmcv import ops  # noqa: E402
from op_cases import cloud, rows, selection  # noqa: E402

import point_peft.detection  # noqa: E402, F401
from point_peft.ops import distance as distance_module  # noqa: E402

KINDS = ('random', 'lattice', 'duplicates', 'identical')
CENTER = torch.zeros(1, 1, 3)


@pytest.fixture(params=[None, 40], ids=['one chunk', 'many chunks'])
def chunks(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(distance_module, 'CPU_CHUNK', request.param)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('num_points', [1, 20, 48])  # 48 of 40: more than there are
def test_farthest_points(kind, num_points):
    points = cloud(kind, 40)
    index = ops.furthest_point_sample(points, num_points)
    assert index.dtype == torch.int32 and not index.requires_grad
    assert index.tolist() == [reference.farthest(reference.distances(p, p), num_points) for p in rows(points)]


def test_farthest_points_near_the_origin_count():
    points = cloud('random', 30) * 1e-3  # |p|^2 <= 5e-5
    index = ops.furthest_point_sample(points, 30)
    assert index.sort().values.tolist() == [list(range(30))] * 2


def test_farthest_points_by_distance():
    distance = torch.rand(2, 25, 25, generator=torch.Generator().manual_seed(0))  # not symmetric: rows matter
    index = ops.furthest_point_sample_with_dist(distance, 12)
    assert index.dtype == torch.int32
    assert index.tolist() == [reference.farthest(d, 12) for d in rows(distance)]


@pytest.mark.usefixtures('chunks')
@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('radii', [(0.0, 1.5), (1.0, 2.0), (0.0, 1e-3), (3.0, 9.0)])
@pytest.mark.parametrize('count', [1, 5, 64])
def test_ball_query(kind, radii, count):
    points, centers = cloud(kind, 40), cloud(kind, 15, seed=1)
    index = ops.ball_query(*radii, count, points, centers)
    assert index.dtype == torch.int32 and index.is_contiguous()
    expected = [reference.ball_query(*radii, count, *pair) for pair in zip(rows(points), rows(centers))]
    assert index.tolist() == expected


@pytest.mark.parametrize(
    ('low', 'high', 'expected'),
    [
        (0.0, 5.0, [1, 2, 1, 1]),  # the outer boundary is outside
        (0.0, 5.1, [0, 1, 2, 0]),  # the first found fills the rest
        (4.0, 6.0, [0, 1, 2, 0]),  # the inner boundary is inside, and the center itself counts
        (4.5, 6.0, [0, 1, 0, 0]),
        (7.0, 9.0, [1, 1, 1, 1]),
    ],
)
def test_ball_boundaries(low, high, expected):
    points = torch.tensor([[[3.0, 4.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 4.0]]])
    assert ops.ball_query(low, high, 4, points, CENTER).tolist() == [[expected]]


def test_an_empty_ball_has_zeros():
    assert ops.ball_query(0.0, 1.0, 3, torch.full((1, 6, 3), 9.0), CENTER).tolist() == [[[0, 0, 0]]]


def test_radius_is_squared_in_single_precision():
    # In single precision 0.7 is a little less: in double precision this point would be within the ball.
    points = torch.tensor([[[2.0, 0.0, 0.0], [0.7, 0.0, 0.0]]])
    assert points[0, 1, 0].double().square() < 0.7**2
    assert ops.ball_query(0.0, 0.7, 1, points, CENTER).tolist() == [[[0]]]


@pytest.mark.usefixtures('chunks')
@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('num_sources', [1, 2, 3, 30])
def test_three_nearest(kind, num_sources):
    target, source = cloud(kind, 20), cloud(kind, 30, seed=1)[:, :num_sources]
    distance, index = ops.three_nn(target, source)
    assert index.dtype == torch.int32 and distance.dtype == torch.float32
    expected = [reference.nearest(3, s, t) for s, t in zip(rows(source), rows(target))]
    assert index.tolist() == [e[0] for e in expected]
    torch.testing.assert_close(distance, torch.tensor([e[1] for e in expected]), rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures('chunks')
@pytest.mark.parametrize('k', [1, 7, 33])  # 33 of 30: more than there are
@pytest.mark.parametrize('transposed', [False, True])
def test_k_nearest(k, transposed):
    points, centers = cloud('random', 30), cloud('random', 12, seed=1)
    expected = [reference.nearest(k, p, c)[0] for p, c in zip(rows(points), rows(centers))]
    if transposed:
        points, centers = points.mT.contiguous(), centers.mT.contiguous()
    index = ops.knn(k, points, centers, transposed)
    assert index.dtype == torch.int32 and index.is_contiguous()
    assert index.mT.tolist() == expected


def test_k_nearest_of_the_points_themselves():
    points = cloud('random', 30)
    assert torch.equal(ops.knn(4, points), ops.knn(4, points, points))
    assert ops.knn(1, points).squeeze(1).tolist() == [list(range(30))] * 2


@pytest.mark.parametrize('k', [0, 100])
def test_k_nearest_within_the_limits_of_the_kernel(k):
    with pytest.raises(ValueError, match='1 to 99'):
        ops.knn(k, cloud('random', 200))


def test_gathering_grouping_interpolation():
    features, index, weight = selection()
    first = index[..., 0].contiguous()
    gathered = [reference.gather(*pair) for pair in zip(features.tolist(), first.tolist())]
    assert ops.gather_points(features, first).tolist() == gathered
    grouped = [reference.group(*pair) for pair in zip(features.tolist(), index.tolist())]
    assert ops.grouping_operation(features, index).tolist() == grouped
    expected = [reference.interpolate(*sample) for sample in zip(*map(torch.Tensor.tolist, selection()))]
    torch.testing.assert_close(ops.three_interpolate(features, index, weight), torch.tensor(expected))


def test_gradients():
    features, index, weight = selection(torch.float64)
    features.requires_grad_()
    first = index[..., 0].contiguous()
    assert torch.autograd.gradcheck(lambda x: ops.gather_points(x, first), features)
    assert torch.autograd.gradcheck(lambda x: ops.grouping_operation(x, index), features)
    assert torch.autograd.gradcheck(lambda x: ops.three_interpolate(x, index, weight), features)


def test_repeated_points_sum_their_gradients():
    features = torch.zeros(1, 1, 3, requires_grad=True)
    index = torch.tensor([[[0, 2, 2], [2, 0, 0]]], dtype=torch.int32)
    ops.grouping_operation(features, index).backward(torch.tensor([[[[1.0, 2, 4], [8, 16, 32]]]]))
    assert features.grad.tolist() == [[[49.0, 0.0, 14.0]]]


def test_indices_have_no_gradient():
    points = cloud('random', 30).requires_grad_()
    results = [
        ops.furthest_point_sample(points, 4),
        ops.ball_query(0.0, 1.0, 4, points, points),
        ops.knn(3, points),
    ]
    assert not any(result.requires_grad for result in [*results, ops.three_nn(points, points)[1]])


def test_layouts_that_the_kernels_refuse():
    features, index, weight = selection()
    points = cloud('random', 30)
    strided, long = points.mT.contiguous().mT, index.long()
    for call in (
        lambda: ops.furthest_point_sample(strided, 3),
        lambda: ops.furthest_point_sample_with_dist(torch.rand(2, 5, 5).mT, 3),
        lambda: ops.ball_query(0.0, 1.0, 3, strided, points),
        lambda: ops.knn(3, points, strided),
        lambda: ops.gather_points(features.mT.contiguous().mT, index[..., 0].contiguous()),
        lambda: ops.gather_points(features, index[..., 0]),
        lambda: ops.three_interpolate(features, index, weight[:, :, [0] * 3].mT.contiguous().mT),
    ):
        with pytest.raises(ValueError, match='contiguous'):
            call()
    for call in (
        lambda: ops.grouping_operation(features, long),
        lambda: ops.three_interpolate(features, long, weight),
    ):
        with pytest.raises(ValueError, match='int32'):
            call()
    with pytest.raises(ValueError, match='min < max'):
        ops.ball_query(2.0, 1.0, 3, points, points)
    with pytest.raises(RuntimeError, match='out of bounds'):
        ops.grouping_operation(features, index + 9)


def test_stacked_clouds_are_refused_in_a_sentence():
    count = torch.tensor([3, 3], dtype=torch.int32)
    with pytest.raises(NotImplementedError, match='ball_query of stacked clouds needs CUDA'):
        ops.ball_query(0.0, 1.0, 3, torch.rand(6, 3), torch.rand(6, 3), count, count)
    with pytest.raises(NotImplementedError, match='grouping_operation of stacked clouds needs CUDA'):
        ops.grouping_operation(torch.rand(6, 3), torch.zeros(6, 2, dtype=torch.int32), count, count)


class LargestTensor(TorchDispatchMode):
    """Number of elements of the largest tensor that any operation makes."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            self.largest = max(self.largest, tensor.numel() if isinstance(tensor, torch.Tensor) else 0)
        return result


@pytest.mark.parametrize(
    'call',
    [
        lambda points, centers: ops.ball_query(0.0, 0.2, 16, points, centers),
        lambda points, centers: ops.three_nn(centers, points),
        lambda points, centers: ops.knn(8, points, centers),
    ],
)
def test_memory_does_not_grow_with_points_times_centers(call):
    points = cloud('random', 4000, batch=1)
    with LargestTensor() as mode:
        call(points, points[:, :1000].contiguous())
    assert 0 < mode.largest <= distance_module.CPU_CHUNK < 4000 * 1000 / 8


def test_interpolation_does_not_hold_the_neighbours():
    features = torch.randn(1, 64, 100, requires_grad=True)
    index = torch.randint(0, 100, (1, 4000, 3), dtype=torch.int32)
    with LargestTensor() as mode:
        result = ops.three_interpolate(features, index, torch.rand(1, 4000, 3))
        result.sum().backward()
    assert result.is_contiguous() and features.grad.is_contiguous()
    assert mode.largest == 64 * 4000
