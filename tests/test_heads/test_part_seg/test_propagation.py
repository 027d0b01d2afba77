"""Feature propagation against its spelling in PointNet++: interpolate, concatenate, convolve."""

from __future__ import annotations

import pytest
import torch
from small_models import scramble
from torch import Tensor
from torch.nn import functional as F

from point_peft.heads.part_seg import FeaturePropagation
from point_peft.heads.part_seg.propagation import _linear_first
from point_peft.ops import interpolation_matrix

BRANCHES = {'linear first': (64, 5, 48, (16, 12)), 'interpolation first': (64, 32, 4, (64, 12))}
"""Points, centers, channels of the centers, widths."""

every_branch = pytest.mark.parametrize(
    ('num_points', 'num_centers', 'dim', 'dims'), BRANCHES.values(), ids=BRANCHES
)


def slow_propagation(
    module: FeaturePropagation, points: Tensor, centers: Tensor, own: Tensor, far: Tensor
) -> Tensor:
    """One point after the other; then the convolutions on channels first, as published."""
    carried = torch.empty(*points.shape[:2], far.shape[-1], dtype=far.dtype)
    for b, cloud in enumerate(points):
        for n, point in enumerate(cloud):
            squared = (centers[b] - point).square().sum(dim=1)
            nearest = squared.argsort()[:3]
            weights = 1 / (squared[nearest] + 1e-8)
            carried[b, n] = (weights / weights.sum()) @ far[b, nearest]
    x = torch.cat([own, carried], dim=-1).transpose(1, 2)  # (B, D + C, N)
    for conv, norm in zip(module.mlp_convs, module.mlp_bns):
        x = F.relu(norm(conv(x)))
    return x.transpose(1, 2)


def case(
    num_points: int, num_centers: int, dim: int, dims: tuple[int, int]
) -> tuple[FeaturePropagation, list[Tensor]]:
    """A module with five own channels per point, and its inputs, in float64."""
    module = FeaturePropagation(5, dim, dims).double()
    scramble(module)
    shapes = [(2, num_points, 3), (2, num_centers, 3), (2, num_points, 5), (2, num_centers, dim)]
    return module, [torch.randn(*shape, dtype=torch.float64) for shape in shapes]


def test_branches() -> None:
    """The two cases below are on both sides of the choice."""
    chosen = [
        _linear_first(points, centers, dims[0], dim) for points, centers, dim, dims in BRANCHES.values()
    ]
    assert chosen == [True, False]


@every_branch
@pytest.mark.parametrize('training', [False, True])
def test_as_published(
    num_points: int, num_centers: int, dim: int, dims: tuple[int, int], training: bool
) -> None:
    """The same numbers, in evaluation and with the statistics of the batch, and the same running statistics."""
    module, inputs = case(num_points, num_centers, dim, dims)
    module.train(training)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    found = module(*inputs)
    after = {name: value.clone() for name, value in module.state_dict().items()}
    module.load_state_dict(before)
    torch.testing.assert_close(found, slow_propagation(module, *inputs), rtol=1e-9, atol=1e-9)
    for name, value in module.state_dict().items():
        torch.testing.assert_close(after[name], value, rtol=1e-9, atol=1e-9)
    assert training == (not torch.equal(after['mlp_bns.0.running_mean'], before['mlp_bns.0.running_mean']))


@every_branch
def test_gradients(num_points: int, num_centers: int, dim: int, dims: tuple[int, int]) -> None:
    """Those of the slow spelling, to features and parameters."""
    module, (points, centers, own, far) = case(num_points, num_centers, dim, dims)
    module.eval()
    leaves = [own.requires_grad_(), far.requires_grad_(), *module.parameters()]
    direction = torch.randn(2, num_points, dims[-1], dtype=torch.float64)
    found, expected = (
        torch.autograd.grad((run(points, centers, own, far) * direction).sum(), leaves)
        for run in (module, lambda *inputs: slow_propagation(module, *inputs))
    )
    assert all(bool(gradient.any()) for gradient in found)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_matrix() -> None:
    """Three weights per point that sum to one; at a center, that center alone."""
    points, centers = torch.randn(2, 10, 3), torch.randn(2, 6, 3)
    matrix = interpolation_matrix(torch.cat([points, centers], dim=1), centers)
    assert matrix.shape == (2, 16, 6) and bool(((matrix > 0).sum(dim=-1) == 3).all())
    torch.testing.assert_close(matrix.sum(dim=-1), torch.ones(2, 16))
    torch.testing.assert_close(matrix[:, 10:], torch.eye(6).expand(2, -1, -1), atol=1e-4, rtol=0)


def test_too_few_centers() -> None:
    """Two centers give no triangle: one sentence."""
    module = FeaturePropagation(3, 4, (8,))
    points = torch.randn(1, 5, 3)
    with pytest.raises(ValueError, match='support has 2 points, expected at least 3 .*raise num_groups'):
        module(points, points[:, :2], points, torch.randn(1, 2, 4))
