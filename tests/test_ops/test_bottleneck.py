"""Bottlenecks beside their residual, in plain torch and by kernels in C."""

from __future__ import annotations

import functools
import importlib

import pytest
import random_tensors
import torch
from random_tensors import random, same_with_any_threads, with_gradients
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from point_peft.ops import add_bottleneck, backends, bottleneck_kernels, c_library, quick_gelu
from point_peft.ops.compiling import HAS_CUSTOM_OPERATORS

module = importlib.import_module('point_peft.ops.bottleneck')

needs_compiler = pytest.mark.skipif(
    c_library.compiler() is None, reason='needs Linux, an x86 processor with AVX2 and a C compiler'
)

SIZES = [(1, 1, 16, 1), (2, 5, 32, 16), (3, 70, 48, 8), (8, 139, 384, 16), (2, 9, 20, 4), (2, 9, 32, 17)]
"""Clouds, tokens, channels and width; of the last two, channels that fill no vector and a width above sixteen."""

RATE = 0.25

assert_near = functools.partial(random_tensors.assert_near, atol=2e-4)


def inputs(batch: int, tokens: int, channels: int, width: int) -> tuple[Tensor, ...]:
    """x, down, its bias, up, its bias."""
    shapes = (batch, tokens, channels), (width, channels), (width,), (channels, width), (channels,)
    x, *weights = (random(*shape, seed=seed) for seed, shape in enumerate(shapes))
    return x, *(0.1 * weight for weight in weights)


def mask(x: Tensor, width: int) -> Tensor:
    """What the dropout of :func:`dropping` multiplies by."""
    torch.manual_seed(0)
    return F.dropout(torch.ones(*x.shape[:-1], width), RATE).to(x.dtype)


def plainly(
    x: Tensor, down: Tensor, down_bias: Tensor, up: Tensor, up_bias: Tensor, kept: Tensor | None
) -> Tensor:
    """What :func:`add_bottleneck` stands for, with a weight of 0.7."""
    inside = F.linear(x, down, down_bias)
    inside = inside * torch.sigmoid(1.702 * inside)
    return x + 0.7 * F.linear(inside if kept is None else inside * kept, up, up_bias)


def ours(x: Tensor, *weights: Tensor, dropout: float = 0.0) -> Tensor:
    return add_bottleneck(x, *weights, dropout=dropout, scale=0.7)


def dropping(x: Tensor, *weights: Tensor) -> Tensor:
    """Ours with dropout, always with the same numbers."""
    torch.manual_seed(0)
    return ours(x, *weights, dropout=RATE)


def test_quick_gelu() -> None:
    """x sigmoid(1.702 x)."""
    x = random(9).double()
    torch.testing.assert_close(quick_gelu(x), x * torch.sigmoid(1.702 * x))


@pytest.mark.parametrize('with_dropout', [False, True])
@pytest.mark.parametrize(('batch', 'tokens', 'channels', 'width'), SIZES)
def test_values_and_gradients(batch: int, tokens: int, channels: int, width: int, with_dropout: bool) -> None:
    """They are those of the formula in float64, but for rounding; without a gradient the same bits."""
    given = inputs(batch, tokens, channels, width)
    kept = mask(given[0].double(), width) if with_dropout else None
    function = dropping if with_dropout else ours
    found = with_gradients(function, *given)
    expected = with_gradients(functools.partial(plainly, kept=kept), *(tensor.double() for tensor in given))
    assert_near(found, expected)
    assert torch.equal(function(*given), found[0])


@needs_compiler
def test_the_kernels_are_used() -> None:
    """Where they fit: one operation that does all, and the tokens of one cloud are those of the batch to the bit."""
    given = inputs(3, 70, 48, 16)
    assert bottleneck_kernels.can_bottleneck(48, 16) and backends.bottleneck_kernels_for(given[0])
    found = with_gradients(ours, *given)
    assert torch.equal(ours(given[0][1:2], *given[1:]), found[0][1:2])
    calls = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bottleneck_kernels, 'call', lambda _, name, *__: calls.append(name))
        with_gradients(ours, *given)
    assert calls == ['bottleneck', 'bottleneck_gradient']


@pytest.mark.parametrize(('channels', 'width'), [(20, 8), (16, 17), (0, 8), (16, 0)])
def test_what_is_left_to_torch(channels: int, width: int) -> None:
    """Channels that fill no vector, and bottlenecks that are not narrow or empty."""
    assert not bottleneck_kernels.can_bottleneck(channels, width)


def test_strides_and_empty_batches() -> None:
    """Tokens and weights may be parts of larger tensors, a batch empty."""
    x, down, down_bias, up, up_bias = inputs(2, 7, 32, 8)
    strided = x.permute(2, 1, 0).contiguous().permute(2, 1, 0), down.T.contiguous().T
    strided_up = up.T.contiguous().T
    expected = ours(x, down, down_bias, up, up_bias)
    torch.testing.assert_close(ours(*strided, down_bias, strided_up, up_bias), expected)
    torch.testing.assert_close(ours(x[:, 2:5], down, down_bias, up, up_bias), expected[:, 2:5])
    torch.testing.assert_close(ours(x[0, 0], down, down_bias, up, up_bias), expected[0, 0])
    assert ours(x[:0], down, down_bias, up, up_bias).shape == (0, 7, 32)


def test_wrong_shapes_are_refused() -> None:
    """Torch says what does not fit, where C would read anything."""
    x, down, down_bias, up, up_bias = inputs(2, 7, 32, 8)
    with pytest.raises(RuntimeError, match='shapes cannot be multiplied'):
        ours(x[..., :16], down, down_bias, up, up_bias)
    with pytest.raises(RuntimeError):
        ours(x, down, down_bias[:5], up, up_bias)
    with pytest.raises(RuntimeError):
        ours(x, down, down_bias, up, up_bias[:7])
    with pytest.raises(RuntimeError):
        ours(x, down, down_bias, up[:, :5], up_bias)


@pytest.mark.parametrize('frozen', range(5))
def test_what_is_frozen_gets_no_gradient(frozen: int) -> None:
    """The others get theirs."""
    given = inputs(2, 5, 32, 8)
    for number, tensor in enumerate(given):
        tensor.requires_grad_(number != frozen)
    ours(*given).sum().backward()
    assert [tensor.grad is None for tensor in given] == [number == frozen for number in range(5)]


def test_numbers_that_are_large_or_not_finite() -> None:
    """A token of such numbers touches itself alone, and large ones overflow nothing."""
    x, *weights = inputs(1, 19, 32, 8)
    x[0, 18, 3], x[0, 4, 2] = float('nan'), float('inf')
    clean = torch.ones(19, dtype=torch.bool)
    clean[[4, 18]] = False
    found = ours(x, *weights)[0]
    assert found[clean].isfinite().all() and found[18].isnan().all() and not found[4].isfinite().any()
    x, *weights = inputs(1, 19, 32, 8)
    large = with_gradients(ours, 1e4 * x, *weights)
    expected = with_gradients(
        functools.partial(plainly, kept=None), 1e4 * x.double(), *(w.double() for w in weights)
    )
    for one, other in zip(large, expected):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=0.5)


def test_second_derivatives() -> None:
    """A gradient can be differentiated, as that of the formula."""

    def penalty(function: functools.partial[Tensor]) -> Tensor:
        given = tuple(tensor.requires_grad_() for tensor in inputs(2, 5, 32, 8))
        (slope,) = torch.autograd.grad(function(*given).pow(2).sum(), given[0], create_graph=True)
        return torch.autograd.grad(slope.pow(2).sum(), given[1])[0]

    kept = mask(inputs(2, 5, 32, 8)[0], 8)
    found, expected = (
        penalty(dropping),
        penalty(functools.partial(plainly, kept=kept)),
    )
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-1)


def test_recorders_see_plain_torch() -> None:
    """Counters count the products, a trace holds operations, and autocast and torch.func do as they do."""
    x, *weights = inputs(2, 9, 32, 8)
    with FlopCounterMode(display=False) as counter:
        ours(x, *weights)
    assert counter.get_total_flops() == 2 * 2 * 2 * 9 * 32 * 8
    with torch.no_grad():
        traced = torch.jit.trace(ours, (x, *weights), check_trace=False)
        torch.testing.assert_close(traced(2 * x, *weights), ours(2 * x, *weights))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        rounded = ours(x, *weights)
    torch.testing.assert_close(rounded, ours(x, *weights), rtol=0.02, atol=0.02)
    assert (rounded - ours(x, *weights)).abs().max() > 1e-4
    slope = torch.func.grad(lambda x: ours(x, *weights).square().sum())(x)
    leaf = x.detach().requires_grad_()
    torch.testing.assert_close(slope, torch.autograd.grad(ours(leaf, *weights).square().sum(), leaf)[0])
    assert ours(x.to('meta'), *(weight.to('meta') for weight in weights)).device.type == 'meta'


@needs_compiler
def test_threads_change_nothing() -> None:
    """To the bit, forward and backward."""
    assert same_with_any_threads(lambda: with_gradients(ours, *inputs(5, 129, 48, 16)))


@pytest.mark.parametrize('with_dropout', [False, True])
def test_the_plain_forms_in_a_compiled_graph(with_dropout: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a graph was made for kernels and runs without, its operators compute the same in torch."""
    x, down, down_bias, up, up_bias = (tensor.double() for tensor in inputs(2, 9, 32, 8))
    kept, function = (mask(x, 8), dropping) if with_dropout else (None, ours)
    monkeypatch.setattr(module, '_fits', lambda *_: True)
    monkeypatch.setattr(module, 'bottleneck_kernels_for', lambda _: None)
    monkeypatch.setattr(module, 'is_compiling', lambda: True)
    monkeypatch.setattr(module, 'c_is_usable', lambda: True)
    given = x, down, down_bias, up, up_bias
    found = with_gradients(function, *given)
    torch.testing.assert_close(found, with_gradients(functools.partial(plainly, kept=kept), *given))


@needs_compiler
@pytest.mark.skipif(not HAS_CUSTOM_OPERATORS, reason='nothing is compiled by this torch')
def test_compiled_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Are those of any batch, with the same bits as without compilation."""
    compiled = torch.compile(ours, dynamic=True, backend='aot_eager', fullgraph=True)
    for batch in (2, 3):
        given = inputs(batch, 9, 32, 8)
        for one, other in zip(with_gradients(compiled, *given), with_gradients(ours, *given)):
            assert torch.equal(one, other)
