"""Attention among tokens: fused, in plain products, and by kernels in C."""

from __future__ import annotations

import functools
import importlib

import pytest
import random_tensors
import torch
from random_tensors import random, same_with_any_threads
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from point_peft.ops import attend, attention_kernels, backends, c_library, self_attention
from point_peft.ops.compiling import HAS_CUSTOM_OPERATORS

module = importlib.import_module('point_peft.ops.attention')

needs_compiler = pytest.mark.skipif(
    c_library.compiler() is None, reason='needs Linux, an x86 processor with AVX2 and a C compiler'
)

SIZES = [(2, 6, 1, 16), (1, 7, 3, 48), (3, 33, 2, 32), (2, 64, 3, 128), (2, 139, 6, 64), (1, 256, 2, 64)]
"""Clouds, tokens, heads and numbers of a head."""


def attended(qkv: Tensor) -> list[Tensor]:
    """What tokens find, and the gradient of the input."""
    qkv = qkv.detach().requires_grad_()
    found = self_attention(qkv)
    found.backward(random(*found.shape, seed=1).to(found.dtype))
    assert qkv.grad is not None
    return [found.detach(), qkv.grad]


assert_near = functools.partial(random_tensors.assert_near, atol=1e-5)


@pytest.mark.parametrize('mask', [None, 'bool', 'added'])
def test_plain_products_equal_the_fused_kernel(mask: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without a mask, of either kind."""
    q, k, v = torch.randn(3, 2, 3, 7, 4, dtype=torch.float64)
    attn_mask = None
    if mask is not None:
        allowed = torch.rand(2, 1, 7, 7) > 0.3
        allowed |= torch.eye(7, dtype=torch.bool)
        attn_mask = (
            allowed if mask == 'bool' else torch.zeros(2, 1, 7, 7).double().masked_fill(~allowed, -1e5)
        )
    plain = attend(q, k, v, attn_mask)
    monkeypatch.setattr(module, 'LONGEST_PLAIN', 0)
    torch.testing.assert_close(plain, attend(q, k, v, attn_mask))


@needs_compiler
@pytest.mark.parametrize(('batch', 'tokens', 'heads', 'size'), SIZES)
def test_the_same_as_plain_torch(batch: int, tokens: int, heads: int, size: int) -> None:
    """Values and gradients of float32 are those of float64, which plain torch computes, but for rounding."""
    qkv = random(batch, tokens, 3, heads, size)
    assert backends.attention_kernels_for(qkv) and attention_kernels.can_attend(qkv)
    assert backends.attention_kernels_for(qkv.double()) is None
    assert_near(attended(qkv), attended(qkv.double()))
    assert torch.equal(self_attention(qkv), attended(qkv)[0])
    for one, other in zip(attended(qkv[:1]), attended(qkv)):
        assert torch.equal(one, other[:1])


@needs_compiler
def test_strides_and_empty_batches() -> None:
    """Any strides of input and gradient."""
    qkv = random(32, 2, 3, 9, 2).permute(4, 3, 2, 1, 0)
    for found, expected in zip(attended(qkv), attended(qkv.contiguous())):
        assert torch.equal(found, expected)
    gradient = random(32, 2, 9, 2).permute(3, 2, 1, 0)
    assert torch.equal(
        attention_kernels.attention_gradient(gradient, qkv),
        attention_kernels.attention_gradient(gradient.contiguous(), qkv),
    )
    assert [tensor.shape[0] for tensor in attended(qkv[:0])] == [0, 0]


@needs_compiler
def test_numbers_that_are_large_or_not_finite() -> None:
    """No overflow, and what is not finite is not hidden, nor spread to other heads and clouds."""
    qkv = random(2, 9, 3, 2, 16)
    qkv[0, 4, 1, 1, 3] = float('nan')
    found = self_attention(qkv)
    assert found[0, :, 1].isnan().all() and found[0, :, 0].isfinite().all() and found[1].isfinite().all()
    qkv = random(2, 9, 3, 2, 16) * 1e4
    assert_near([self_attention(qkv) / 1e4], [self_attention(qkv.double()) / 1e4])
    qkv[0, 2, 2, 0, 5] = float('inf')
    assert not self_attention(qkv)[0, 2, 0, 5].isfinite()


@needs_compiler
def test_threads_change_nothing() -> None:
    """To the bit, forward and backward."""
    assert same_with_any_threads(lambda: attended(random(2, 33, 3, 2, 32)))


@pytest.mark.parametrize(('tokens', 'size'), [(5, 16), (257, 16), (9, 24), (9, 144), (0, 16)])
def test_sizes_without_room(tokens: int, size: int) -> None:
    """Sequences that are too short or long, and heads that fill no vectors or are too wide: plain torch."""
    qkv = random(2, tokens, 3, 2, size)
    assert not attention_kernels.can_attend(qkv)
    assert_near(attended(qkv), attended(qkv.double()))


def test_shapes_that_do_not_fit() -> None:
    """Are refused as by plain torch, where C would read anything."""
    with pytest.raises(ValueError):
        self_attention(random(2, 9, 4, 2, 16))
    with pytest.raises(ValueError):
        self_attention(random(2, 9, 3, 32))


def test_recorders_see_plain_torch() -> None:
    """Counters count the products, a trace holds operations, and autocast and torch.func do as they do."""
    qkv = random(2, 9, 3, 2, 16)
    with FlopCounterMode(display=False) as counter:
        self_attention(qkv)
    assert counter.get_total_flops() == 2 * 2 * 2 * 2 * 9 * 9 * 16
    with torch.no_grad():
        traced = torch.jit.trace(self_attention, qkv, check_trace=False)
        torch.testing.assert_close(traced(2 * qkv), self_attention(2 * qkv))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert self_attention(qkv.bfloat16()).dtype == torch.bfloat16
    gradient = torch.func.grad(lambda qkv: self_attention(qkv).square().sum())(qkv)
    leaf = qkv.detach().requires_grad_()
    torch.testing.assert_close(gradient, torch.autograd.grad(self_attention(leaf).square().sum(), leaf)[0])


@needs_compiler
def test_half_precision() -> None:
    """Is computed in float32, by the kernels too, and rounded once; autocast changes nothing."""
    qkv = random(2, 9, 3, 2, 16).bfloat16()
    expected = self_attention(qkv.float()).bfloat16()
    assert torch.equal(self_attention(qkv), expected)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(self_attention(qkv), expected)
        assert self_attention(qkv.float()).dtype == torch.float32
    sent = attended(qkv)[1]
    assert sent.dtype == torch.bfloat16
    torch.testing.assert_close(sent, attended(qkv.float())[1].bfloat16(), rtol=0.02, atol=0.02)


@needs_compiler
def test_second_derivatives() -> None:
    """They are those of float64."""

    def twice(qkv: Tensor) -> Tensor:
        qkv = qkv.detach().requires_grad_()
        (first,) = torch.autograd.grad(self_attention(qkv).square().sum(), qkv, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), qkv)
        return second

    qkv = random(1, 7, 3, 1, 16)
    torch.testing.assert_close(twice(qkv).double(), twice(qkv.double()), rtol=1e-4, atol=1e-4)


@needs_compiler
@pytest.mark.skipif(not HAS_CUSTOM_OPERATORS, reason='nothing is compiled by this torch')
def test_compiled_graphs_take_it_whole() -> None:
    """One graph for all batches, and to the bit what is computed without it."""
    compiled = torch.compile(self_attention, backend='aot_eager', fullgraph=True, dynamic=True)
    for batch in (3, 2, 5):
        qkv = random(batch, 9, 3, 2, 16).requires_grad_()
        found = compiled(qkv)
        (gradient,) = torch.autograd.grad(found.square().sum(), qkv)
        expected = self_attention(qkv)
        assert torch.equal(found, expected)
        assert torch.equal(gradient, torch.autograd.grad(expected.square().sum(), qkv)[0])


@needs_compiler
@pytest.mark.skipif(not HAS_CUSTOM_OPERATORS, reason='nothing is compiled by this torch')
def test_compiled_graphs_without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph that holds the operator computes the same where the kernels are not used when it runs."""
    compiled = torch.compile(self_attention, backend='aot_eager', fullgraph=True)
    qkv = random(3, 9, 3, 2, 16).requires_grad_()
    gradients = []
    for kernels in (attention_kernels, None):
        monkeypatch.setattr(module, 'attention_kernels_for', lambda _, kernels=kernels: kernels)
        gradients.append(torch.autograd.grad(compiled(qkv).square().sum(), qkv)[0])
    torch.testing.assert_close(*gradients)
    monkeypatch.undo()
    with FlopCounterMode(display=False) as counter:
        found = self_attention(qkv)
        (gradient,) = torch.autograd.grad(found.square().sum(), qkv)
    torch.testing.assert_close(gradient, gradients[0])
    assert counter.get_total_flops() > 0
    found = self_attention(qkv)
    with FlopCounterMode(display=False) as counter:
        (gradient,) = torch.autograd.grad(found.square().sum(), qkv)
    torch.testing.assert_close(gradient, gradients[0])
    assert counter.get_total_flops() == 5 * 2 * 3 * 2 * 9 * 9 * 16
