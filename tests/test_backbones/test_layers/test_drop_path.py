"""Stochastic depth."""

from __future__ import annotations

import pytest
import torch

from point_peft.backbones.layers import DropPath, drop_path_rates


def test_statistics() -> None:
    """A quarter of the samples is zero, the others are scaled by 4/3, so the mean stays."""
    torch.manual_seed(0)
    out = DropPath(0.25).train()(torch.ones(20000, 2, 3))
    assert out.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (out == 0).float().mean() == pytest.approx(0.25, abs=0.01)
    assert out.mean() == pytest.approx(1, abs=0.02)


def test_whole_samples() -> None:
    """A sample is dropped in all its tokens or in none."""
    torch.manual_seed(0)
    kept = DropPath(0.5).train()(torch.ones(50, 4, 6)).flatten(1) > 0
    assert (kept.all(dim=1) | ~kept.any(dim=1)).all() and kept.any() and not kept.all()


@pytest.mark.parametrize(('rate', 'training'), [(0.0, True), (0.5, False)])
def test_identity(rate: float, training: bool) -> None:
    """Nothing happens at rate 0 or in eval mode, not even a copy."""
    x = torch.randn(3, 2)
    assert DropPath(rate).train(training)(x) is x


@pytest.mark.parametrize(('rate', 'training'), [(0.0, True), (0.5, False), (0.5, True)])
def test_added_in_one_pass(rate: float, training: bool) -> None:
    """The same samples are dropped, and gradients are the same."""
    layer, inputs = DropPath(rate).train(training), torch.randn(2, 9, 4, 6).requires_grad_()
    results = []
    for add in (layer.add_to, lambda x, branch: x + layer(branch)):
        torch.manual_seed(0)
        found = add(*inputs)
        results.append((found, torch.autograd.grad(found.square().sum(), inputs)[0]))
    for one, other in zip(*results):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize('rate', [-0.1, 1.0, 1.5])
def test_bad_rate(rate: float) -> None:
    """Rates outside [0, 1) are refused."""
    with pytest.raises(ValueError, match=rf'rate={rate} is outside \[0, 1\)'):
        DropPath(rate)


def test_rates_by_hand() -> None:
    """Linear from 0; one block alone has 0."""
    assert drop_path_rates(0.3, 4) == pytest.approx([0, 0.1, 0.2, 0.3])
    assert drop_path_rates(0.3, 1) == [0]


def test_repr() -> None:
    """The rate is shown."""
    assert repr(DropPath(0.1)) == 'DropPath(rate=0.100)'
