"""Products with low-rank matrices."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import random_tensors
import torch
from random_tensors import random, same_with_any_threads, with_gradients
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from point_peft.ops import add_projected_up, backends, products_with_rows, project_down

SHAPES = [(2, 129, 384, 8), (1, 3, 16, 4), (3, 70, 48, 1), (2, 5, 20, 8), (1, 9, 32, 12)]
"""Clouds, tokens, channels, rank; of the last two, channels that fill no vector and a rank above eight."""


assert_near = functools.partial(random_tensors.assert_near, atol=5e-5)


def added(x: Tensor, hidden: Tensor, weight: Tensor) -> Tensor:
    """What :func:`add_projected_up` stands for."""
    return x + F.linear(hidden, weight)


@pytest.mark.parametrize(('batch', 'tokens', 'channels', 'rank'), SHAPES)
def test_values_and_gradients(batch: int, tokens: int, channels: int, rank: int) -> None:
    """They are those of plain products in float64, but for rounding."""
    x, hidden = random(batch, tokens, channels), random(batch, tokens, rank, seed=1)
    down, up = random(rank, channels, seed=2), random(channels, rank, seed=3)
    assert_near(with_gradients(project_down, x, down), with_gradients(F.linear, x.double(), down.double()))
    assert_near(
        with_gradients(add_projected_up, x, hidden, up),
        with_gradients(added, x.double(), hidden.double(), up.double()),
    )


@pytest.mark.parametrize('frozen', ['x', 'weight'])
def test_what_is_frozen_gets_no_gradient(frozen: str) -> None:
    """The other gets its gradient."""
    inputs = {'x': random(2, 5, 32), 'weight': random(8, 32, seed=1)}
    for name, tensor in inputs.items():
        tensor.requires_grad_(name != frozen)
    project_down(**inputs).sum().backward()
    for name, tensor in inputs.items():
        assert (tensor.grad is None) == (name == frozen)


def test_strides_and_empty_batches() -> None:
    """Tokens may be part of a larger tensor, a single vector, or none."""
    x, weight = random(32, 7, 2).permute(2, 1, 0), random(8, 32, seed=1)
    torch.testing.assert_close(project_down(x, weight), F.linear(x, weight))
    torch.testing.assert_close(project_down(x[:, 1:4], weight), F.linear(x[:, 1:4], weight))
    torch.testing.assert_close(project_down(x[0, 0], weight), F.linear(x[0, 0], weight))
    assert project_down(x[:0], weight).shape == (0, 7, 8)
    assert add_projected_up(x[:0], x.new_empty(0, 7, 8), weight.T).shape == (0, 7, 32)


def test_wrong_shapes_are_refused() -> None:
    """Torch says what does not fit."""
    with pytest.raises(RuntimeError, match='shapes cannot be multiplied'):
        project_down(random(2, 5, 48), random(8, 32))
    with pytest.raises(RuntimeError, match='shapes cannot be multiplied'):
        add_projected_up(random(2, 5, 32), random(2, 5, 4), random(32, 8))
    with pytest.raises(RuntimeError, match='must match'):
        add_projected_up(random(2, 5, 32), random(2, 6, 8), random(32, 8))


class Labelled(torch.Tensor):
    """A tensor of another class."""


def test_tensors_of_other_kinds_are_for_torch() -> None:
    """Classes of their own, other devices and types: torch computes, or says what does not fit."""
    x, weight = random(2, 5, 32), random(8, 32, seed=1)
    assert isinstance(project_down(x, weight.as_subclass(Labelled)), Labelled)
    assert project_down(x.to('meta'), weight.to('meta')).device.type == 'meta'
    with pytest.raises(RuntimeError, match='dtype'):
        project_down(x, weight.double())
    with pytest.raises(RuntimeError, match='dtype'):
        products_with_rows(weight.double(), x[0])


def test_nothing_is_spread() -> None:
    """A row of NaN or infinite numbers touches itself alone, also where rows are handled in groups."""
    x, weight = random(1, 19, 32), random(8, 32, seed=1)
    x[0, 18, 3], x[0, 4, 2] = float('nan'), float('inf')
    clean = torch.ones(19, dtype=torch.bool)
    clean[[4, 18]] = False
    found = project_down(x, weight)[0]
    assert found[clean].isfinite().all() and found[18].isnan().all() and found[4].isinf().all()
    assert add_projected_up(x, random(1, 19, 8), weight.T)[0][clean].isfinite().all()
    hidden = random(1, 19, 8, seed=2)
    with_x = weight.T.detach().requires_grad_()
    add_projected_up(random(1, 19, 32), hidden, with_x).backward(x)
    assert with_x.grad is not None
    expected = x[0].T @ hidden[0]
    torch.testing.assert_close(with_x.grad, expected, rtol=1e-5, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize(('queries', 'channels'), [(1, 32), (8, 48), (9, 32), (3, 20)])
def test_products_with_rows(queries: int, channels: int) -> None:
    """They are those of torch, and equal rows have equal products, wherever they stand."""
    few, rows = random(queries, channels), random(37, channels, seed=1)
    found = products_with_rows(few, rows)
    assert found.is_contiguous()
    torch.testing.assert_close(found.double(), few.double() @ rows.double().T, rtol=1e-5, atol=5e-5)
    if channels % 16 == 0 and queries <= 8 and backends.c_works():
        same = products_with_rows(few, rows[:1].repeat(37, 1))
        assert (same == same[:, :1]).all()
    slopes = with_gradients(products_with_rows, few, rows)
    assert_near(slopes, with_gradients(lambda a, b: a @ b.T, few.double(), rows.double()))


def test_second_derivatives() -> None:
    """A gradient can be differentiated, as with plain products."""

    def penalty(down: Callable[..., Tensor], up: Callable[..., Tensor]) -> Tensor:
        x, a, b = (
            t.requires_grad_() for t in (random(2, 5, 32), random(8, 32, seed=1), random(32, 8, seed=2))
        )
        (gradient,) = torch.autograd.grad(up(x, down(x, a), b).pow(2).sum(), x, create_graph=True)
        return torch.autograd.grad(gradient.pow(2).sum(), a)[0]

    torch.testing.assert_close(
        penalty(project_down, add_projected_up), penalty(F.linear, added), rtol=1e-4, atol=1e-2
    )


def test_autocast_and_transforms() -> None:
    """Under autocast products are in bfloat16; ``torch.func`` and counters of FLOPs see products of torch."""
    x, weight = random(2, 5, 32), random(8, 32, seed=1)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert project_down(x, weight).dtype == torch.bfloat16
    mapped = torch.func.vmap(lambda row: project_down(row, weight))(x)
    torch.testing.assert_close(mapped, F.linear(x, weight))
    slope = torch.func.grad(lambda w: project_down(x, w).sum())(weight)
    torch.testing.assert_close(slope, x.sum((0, 1)).expand(8, -1))
    with FlopCounterMode(display=False) as counter:
        project_down(x.requires_grad_(), weight).sum().backward()
    assert counter.get_total_flops() == 2 * 2 * 5 * 32 * 8 * 2
    found = project_down(x, weight).sum()
    with FlopCounterMode(display=False) as counter:  # of the backward alone
        found.backward()
    assert counter.get_total_flops() == 2 * 5 * 32 * 8 * 2


@pytest.mark.skipif(not backends.c_works(), reason='needs Linux, an x86 processor with AVX2 and a C compiler')
def test_sums_do_not_depend_on_threads() -> None:
    """Values and gradients are the same bits with one thread and with three."""
    inputs = random(5, 129, 48), random(5, 129, 8, seed=1), random(48, 8, seed=2)
    assert same_with_any_threads(lambda: with_gradients(add_projected_up, *inputs))
