"""A linear layer behind a layer norm."""

from __future__ import annotations

import functools

import pytest
import random_tensors
import torch
from random_tensors import random, with_gradients
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from point_peft.ops import normed_linear
from point_peft.ops.compiling import HAS_CUSTOM_OPERATORS

EPS = 1e-5

assert_near = functools.partial(random_tensors.assert_near, atol=1e-4)


def inputs(*shape: int, outputs: int = 12) -> tuple[Tensor, ...]:
    """x, weight and bias of the norm, weight of the layer."""
    channels = shape[-1]
    return (
        3 * random(*shape) + 1,
        1 + 0.1 * random(channels, seed=1),
        random(channels, seed=2),
        0.2 * random(outputs, channels, seed=3),
    )


def ours(x: Tensor, norm_weight: Tensor, norm_bias: Tensor, weight: Tensor) -> Tensor:
    return normed_linear(x, norm_weight, norm_bias, EPS, weight)


def plainly(x: Tensor, norm_weight: Tensor, norm_bias: Tensor, weight: Tensor) -> Tensor:
    """What :func:`normed_linear` stands for."""
    return F.linear(F.layer_norm(x, x.shape[-1:], norm_weight, norm_bias, EPS), weight)


@pytest.mark.parametrize('shape', [(2, 7, 16), (3, 5), (8, 129, 384), (1, 1, 20)])
def test_values_and_gradients(shape: tuple[int, ...]) -> None:
    """They are those of the two layers, which plain autograd differentiates; without a gradient the same bits."""
    given = inputs(*shape)
    found = with_gradients(ours, *given)
    assert_near(found, with_gradients(plainly, *(tensor.double() for tensor in given)))
    assert torch.equal(ours(*given), found[0])


@pytest.mark.parametrize('frozen', range(4))
def test_what_is_frozen_gets_no_gradient(frozen: int) -> None:
    """The others get theirs."""
    given = inputs(2, 5, 32)
    for number, tensor in enumerate(given):
        tensor.requires_grad_(number != frozen)
    ours(*given).sum().backward()
    assert [tensor.grad is None for tensor in given] == [number == frozen for number in range(4)]


def test_one_tensor_of_tokens_is_kept() -> None:
    """The input; the norm's output is not."""
    given = [tensor.requires_grad_() for tensor in inputs(2, 50, 32)]
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        ours(*given)
    assert [tensor.numel() for tensor in kept if tensor.numel() >= given[0].numel()] == [given[0].numel()]


def test_strides_and_empty_batches() -> None:
    """Tokens may be part of a larger tensor, or none."""
    x, *others = inputs(32, 7, 32)
    strided = x.transpose(0, 1)
    for found, expected in zip(
        with_gradients(ours, strided, *others), with_gradients(ours, strided.contiguous(), *others)
    ):
        torch.testing.assert_close(found, expected)
    assert ours(x[:0].requires_grad_(), *others).shape == (0, 7, 12)


def test_second_derivatives() -> None:
    """A gradient can be differentiated, as that of the two layers."""

    def penalty(function: object) -> Tensor:
        given = [tensor.requires_grad_() for tensor in inputs(2, 5, 16)]
        (slope,) = torch.autograd.grad(function(*given).pow(2).sum(), given[0], create_graph=True)
        return torch.autograd.grad(slope.pow(2).sum(), given[3])[0]

    torch.testing.assert_close(penalty(ours), penalty(plainly), rtol=1e-3, atol=1e-3)


def test_recorders_see_plain_torch() -> None:
    """Counters, traces, autocast and torch.func do as they do with the two layers."""
    given = [tensor.requires_grad_() for tensor in inputs(2, 9, 32, outputs=8)]
    with FlopCounterMode(display=False) as counter:
        ours(*given).sum().backward()
    assert counter.get_total_flops() == 3 * 2 * 2 * 9 * 32 * 8
    with torch.no_grad():
        traced = torch.jit.trace(ours, tuple(given), check_trace=False)
        torch.testing.assert_close(traced(2 * given[0], *given[1:]), ours(2 * given[0], *given[1:]))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(ours(*given), plainly(*given)) and ours(*given).dtype == torch.bfloat16
    x, *others = (tensor.detach() for tensor in given)
    slope = torch.func.grad(lambda x: ours(x, *others).square().sum())(x)
    (expected,) = torch.autograd.grad(plainly(*given).square().sum(), given[0])
    torch.testing.assert_close(slope, expected, rtol=1e-4, atol=1e-4)
    assert ours(x.to('meta'), *(other.to('meta') for other in others)).shape == (2, 9, 8)
    with pytest.raises(RuntimeError):
        ours(x[..., :16], *others)


@pytest.mark.skipif(not HAS_CUSTOM_OPERATORS, reason='nothing is compiled by this torch')
def test_compiled_graphs() -> None:
    """Have the values and gradients of the two layers."""
    compiled = torch.compile(ours, dynamic=True, backend='aot_eager', fullgraph=True)
    for batch in (2, 3):
        given = inputs(batch, 9, 32)
        for one, other in zip(with_gradients(compiled, *given), with_gradients(ours, *given)):
            torch.testing.assert_close(one, other)
