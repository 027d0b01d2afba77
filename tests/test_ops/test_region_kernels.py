"""Regions in C against the plain forms."""

from __future__ import annotations

import pytest
import torch
from random_tensors import random, same_with_any_threads
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from point_peft.ops import backends, c_library, region_attention, region_kernels, region_max_pool
from point_peft.ops.compiling import HAS_CUSTOM_OPERATORS

needs_compiler = pytest.mark.skipif(
    c_library.compiler() is None, reason='needs Linux, an x86 processor with AVX2 and a C compiler'
)

SIZES = [(1, 1, 1, 1, 16), (5, 6, 2, 3, 32), (16, 18, 6, 18, 384), (17, 32, 2, 16, 48), (64, 96, 6, 64, 16)]
"""Neighbours, attention dimension, heads, dimension of the update, channels."""


def regions(size: int, *, tokens: int = 70, count: int = 9) -> Tensor:
    """Rows (2, count, size) in a list of 2 x tokens."""
    return torch.randint(0, 2 * tokens, (2, count, size), generator=torch.Generator().manual_seed(size))


def attended(qkv: Tensor, rows: Tensor, num_heads: int) -> list[Tensor]:
    """Attention and the gradient of its input."""
    qkv = qkv.detach().requires_grad_()
    found = region_attention(qkv, rows, num_heads)
    found.backward(random(*found.shape, seed=1).to(found.dtype))
    assert qkv.grad is not None
    return [found.detach(), qkv.grad]


def pooled(tokens: Tensor, rows: Tensor, update: Tensor, weight: Tensor) -> list[Tensor]:
    """Maxima and the gradients of all inputs."""
    inputs = [tensor.detach().requires_grad_() for tensor in (tokens, update, weight)]
    found = region_max_pool(inputs[0], rows, *inputs[1:])
    found.backward(random(*found.shape, seed=1).to(found.dtype))
    gradients = [tensor.grad for tensor in inputs]
    assert None not in gradients
    return [found.detach(), *gradients]  # type: ignore[list-item]


def assert_near(found: list[Tensor], expected: list[Tensor]) -> None:
    """Float32 is float64 but for rounding."""
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-5, atol=5e-5)


@needs_compiler
@pytest.mark.parametrize(('size', 'attn_dim', 'num_heads', 'update_dim', 'channels'), SIZES)
def test_the_same_as_plain_torch(
    size: int, attn_dim: int, num_heads: int, update_dim: int, channels: int
) -> None:
    """Values and gradients of float32 are those of float64, which plain torch computes, but for rounding."""
    rows, qkv = regions(size), random(2, 70, 3 * attn_dim)
    assert backends.region_kernels_for(qkv) and region_kernels.can_attend(
        qkv.flatten(0, 1), rows.flatten(0, 1), num_heads
    )
    assert backends.region_kernels_for(qkv.double()) is None
    assert_near(attended(qkv, rows, num_heads), attended(qkv.double(), rows, num_heads))

    tokens, update, weight = (
        random(2, 70, channels),
        random(2, 9, size, update_dim),
        random(channels, update_dim),
    )
    assert region_kernels.can_pool(tokens.flatten(0, 1), rows.flatten(0, 1), update.flatten(0, 1), weight)
    doubled = (tokens.double(), rows, update.double(), weight.double())
    assert_near(pooled(tokens, rows, update, weight), pooled(*doubled))
    with torch.no_grad():
        alone = region_max_pool(tokens, rows, update, weight)
    assert torch.equal(alone, pooled(tokens, rows, update, weight)[0])


@needs_compiler
def test_not_contiguous() -> None:
    """Any strides of inputs and gradients."""
    rows, update = regions(16), random(2, 9, 18, 16).mT
    weight, tokens = random(18, 32).T, random(2, 32, 70).mT
    for found, expected in zip(
        pooled(tokens, rows, update, weight),
        pooled(tokens.contiguous(), rows, update.contiguous(), weight.contiguous()),
    ):
        assert torch.equal(found, expected)
    table = rows.flatten(0, 1)
    gradient, maxima = random(32, 18).T, region_kernels.maxima(tokens.flatten(0, 1), table, update[0], weight)
    assert maxima[0].shape == (18, 32)
    sent = [
        region_kernels.maxima_gradient(given, 140, table, maxima[1], update.flatten(0, 1), weight)
        for given in (gradient, gradient.contiguous())
    ]
    assert all(torch.equal(one, other) for one, other in zip(*sent))


@needs_compiler
def test_ties_and_numbers_that_are_not_finite() -> None:
    """Of equal neighbours the first gets the gradient, and what is not finite is not hidden."""
    rows = torch.tensor([[[0, 1, 2, 1]]])
    zero = torch.zeros(1, 1, 4, 2), torch.ones(16, 2)
    tokens = torch.zeros(1, 3, 16)
    assert pooled(tokens, rows, *zero)[1][0, 1:].abs().max() == 0
    tokens[0, 1, 3], tokens[0, 2, 3] = float('nan'), 5
    tokens[0, 1, 4] = float('-inf')
    found = pooled(tokens, rows, *zero)[0]
    assert found[0, 0, 3].isnan() and torch.equal(found.isnan().sum(), torch.tensor(1))
    lowest = pooled(torch.full((1, 3, 16), float('-inf')), rows, *zero)
    assert torch.equal(lowest[0], torch.full((1, 1, 16), float('-inf')))
    assert lowest[1][0, 0].abs().min() > 0 == lowest[1][0, 1:].abs().max()
    qkv = random(1, 3, 9)
    qkv[0, 2, 5] = float('nan')
    assert region_attention(qkv, rows, 1).isnan().all()
    large = region_attention(torch.tensor([[[1e4, 1e4, 1.0], [0.0, -1e4, 2.0]]]), torch.tensor([[[0, 1]]]), 1)
    torch.testing.assert_close(large, torch.tensor([[[[1.0], [1.5]]]]))


@needs_compiler
def test_rows_outside_of_the_table() -> None:
    """Refused, where C would read or write anywhere."""
    rows = regions(16).flatten(0, 1)
    table, update, weight = random(140, 32), random(18, 16, 5), random(32, 5)
    places = torch.zeros(18, 32, dtype=torch.uint8)
    for wrong in (-1, 140):
        rows[3, 2] = wrong
        for call in (
            lambda: region_kernels.attention(random(140, 54), rows, 6),
            lambda: region_kernels.attention_gradient(random(18, 16, 18), random(140, 54), rows, 6),
            lambda: region_kernels.maxima(table, rows, update, weight),
            lambda: region_kernels.maxima_gradient(random(18, 32), 140, rows, places, update, weight),
        ):
            with pytest.raises(IndexError, match='outside the table'):
                call()


@needs_compiler
def test_threads_change_nothing() -> None:
    """To the bit, forward and backward."""
    rows, tokens, update, weight = regions(16), random(2, 70, 96), random(2, 9, 16, 18), random(96, 18)
    assert same_with_any_threads(
        lambda: [*pooled(tokens, rows, update, weight), *attended(tokens[..., :54], rows, 6)]
    )


@pytest.mark.parametrize(('size', 'attn_dim', 'channels'), [(65, 18, 32), (16, 102, 32), (16, 18, 24)])
def test_sizes_without_room(size: int, attn_dim: int, channels: int) -> None:
    """More neighbours or wider heads than there is room for, channels that fill no vectors: plain torch."""
    rows, qkv, tokens = regions(size), random(2, 70, 3 * attn_dim), random(2, 70, channels)
    update, weight = random(2, 9, size, 7), random(channels, 7)
    can_attend = region_kernels.can_attend(qkv.flatten(0, 1), rows.flatten(0, 1), 2)
    can_pool = region_kernels.can_pool(tokens.flatten(0, 1), rows.flatten(0, 1), update.flatten(0, 1), weight)
    assert not (can_attend and can_pool)
    doubled = (tokens.double(), rows, update.double(), weight.double())
    assert_near(pooled(tokens, rows, update, weight), pooled(*doubled))
    assert_near(attended(qkv, rows, 2), attended(qkv.double(), rows, 2))


def test_recorders_see_plain_torch() -> None:
    """Counters count the products, and a trace holds operations and no result."""
    rows, qkv = regions(16), random(2, 70, 54)
    with FlopCounterMode(display=False) as counter:
        region_attention(qkv, rows, 6)
    assert counter.get_total_flops() == 2 * 2 * 2 * 9 * 16 * 16 * 18
    with torch.no_grad():
        traced = torch.jit.trace(lambda x: region_attention(x, rows, 6), qkv, check_trace=False)
        torch.testing.assert_close(traced(2 * qkv), region_attention(2 * qkv, rows, 6))


@pytest.mark.skipif(not HAS_CUSTOM_OPERATORS, reason='nothing is compiled by this torch')
def test_compiled_graphs_take_them_whole() -> None:
    """To the bit what is computed without a graph."""
    rows, qkv = regions(16), random(2, 70, 54).requires_grad_()
    compiled = torch.compile(lambda x: region_attention(x, rows, 6), backend='aot_eager', fullgraph=True)
    found = compiled(qkv)
    found.sum().backward()
    assert qkv.grad is not None
    gradient, qkv.grad = qkv.grad, None
    expected = region_attention(qkv, rows, 6)
    expected.sum().backward()
    assert torch.equal(found, expected) and torch.equal(gradient, qkv.grad)


def test_shapes_that_do_not_fit() -> None:
    """Are refused as by plain torch, where C would read anything."""
    rows, qkv, tokens = regions(16), random(2, 70, 54), random(2, 70, 32)
    with pytest.raises(RuntimeError):
        region_attention(qkv, rows, 4)
    with pytest.raises(RuntimeError):
        region_attention(random(2, 70, 55), rows, 6)
    for update, weight in (
        (random(2, 9, 15, 7), random(32, 7)),
        (random(2, 9, 16, 7), random(32, 6)),
        (random(2, 9, 16, 7), random(48, 7)),
    ):
        with pytest.raises((RuntimeError, ValueError)):
            region_max_pool(tokens, rows, update, weight)
    torch.testing.assert_close(region_attention(qkv, rows.int(), 6), region_attention(qkv, rows, 6))
