"""Feature propagation against its spelling in PointNet++: interpolate, concatenate, convolve."""

from __future__ import annotations

import pytest
import torch
from small_models import scramble
from torch import Tensor
from torch.nn import functional as F

from point_peft.heads.part_seg import FeaturePropagation


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


def case() -> tuple[FeaturePropagation, list[Tensor]]:
    """A module with five own channels per point, and its inputs, in float64."""
    module = FeaturePropagation(5, 48, (16, 12)).double()
    scramble(module)
    shapes = [(2, 64, 3), (2, 32, 3), (2, 64, 5), (2, 32, 48)]
    return module, [torch.randn(*shape, dtype=torch.float64) for shape in shapes]


@pytest.mark.parametrize('training', [False, True])
def test_as_published(training: bool) -> None:
    """The same numbers, in evaluation and with the statistics of the batch, and the same running statistics."""
    module, inputs = case()
    module.train(training)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    found = module(*inputs)
    after = {name: value.clone() for name, value in module.state_dict().items()}
    module.load_state_dict(before)
    torch.testing.assert_close(found, slow_propagation(module, *inputs), rtol=1e-9, atol=1e-9)
    for name, value in module.state_dict().items():
        torch.testing.assert_close(after[name], value, rtol=1e-9, atol=1e-9)
    assert training == (not torch.equal(after['mlp_bns.0.running_mean'], before['mlp_bns.0.running_mean']))


def test_gradients() -> None:
    """Those of the slow spelling, to features and parameters."""
    module, (points, centers, own, far) = case()
    module.eval()
    leaves = [own.requires_grad_(), far.requires_grad_(), *module.parameters()]
    direction = torch.randn(2, 64, 12, dtype=torch.float64)
    found, expected = (
        torch.autograd.grad((run(points, centers, own, far) * direction).sum(), leaves)
        for run in (module, lambda *inputs: slow_propagation(module, *inputs))
    )
    assert all(bool(gradient.any()) for gradient in found)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_too_few_centers() -> None:
    """Two centers give no triangle: one sentence."""
    module = FeaturePropagation(3, 4, (8,))
    points = torch.randn(1, 5, 3)
    with pytest.raises(ValueError, match='support has 2 points, expected at least 3 .*raise num_groups'):
        module(points, points[:, :2], points, torch.randn(1, 2, 4))
