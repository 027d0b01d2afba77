"""Linear layers by oneDNN or MKL."""

from __future__ import annotations

import functools
import importlib

import pytest
import random_tensors
import torch
from random_tensors import random, with_gradients
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from point_peft.ops import linear

module = importlib.import_module('point_peft.ops.linear')

needs_onednn = pytest.mark.skipif(
    not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, '_linear_pointwise')),
    reason='this torch has no oneDNN',
)


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Shapes of weights that oneDNN multiplies with, which it does here whatever the processor and the size."""
    found: list[tuple[int, ...]] = []
    multiply = module._by_onednn

    def noted(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        found.append(tuple(weight.shape))
        return multiply(x, weight, bias)

    monkeypatch.setattr(module, 'onednn_is_faster', lambda: True)
    monkeypatch.setattr(module, 'LEAST_PRODUCTS', 0)
    monkeypatch.setattr(module, '_by_onednn', noted)
    return found


assert_near = functools.partial(random_tensors.assert_near, atol=1e-4)


@needs_onednn
@pytest.mark.parametrize('shape', [(70, 48, 32), (2, 129, 96, 64), (5, 3, 2, 7, 5), (1, 2, 2)])
@pytest.mark.parametrize('with_bias', [True, False])
def test_values_and_gradients(shape: tuple[int, ...], with_bias: bool, products: list) -> None:
    """They are those of plain products in float64, but for rounding."""
    *size, inner, outer = shape
    inputs = [random(*size, inner), random(outer, inner, seed=1)] + [random(outer, seed=2)] * with_bias
    assert_near(
        with_gradients(linear, *inputs), with_gradients(F.linear, *(tensor.double() for tensor in inputs))
    )
    assert products == [(outer, inner), (inner, outer)]
    torch.testing.assert_close(linear(*inputs), F.linear(*inputs), rtol=1e-5, atol=1e-4)


@needs_onednn
def test_strides_and_parts_of_weights(products: list) -> None:
    """Tokens and weights may be parts of larger tensors: of odd strides oneDNN would be very slow."""
    x, weight = random(32, 70, 2).permute(2, 1, 0), random(24, 64, seed=1)
    for part in (weight[:, :32], weight[:, 32:], random(32, 24, seed=2).T, weight[::2, :32]):
        torch.testing.assert_close(linear(x, part), F.linear(x, part), rtol=1e-5, atol=1e-4)
        torch.testing.assert_close(linear(x[:, 1:40], part), F.linear(x[:, 1:40], part), rtol=1e-5, atol=1e-4)
    assert len(products) == 8


@needs_onednn
@pytest.mark.parametrize('frozen', ['x', 'weight', 'bias'])
def test_what_is_frozen_gets_no_gradient(frozen: str, products: list) -> None:
    """The others get theirs, and only what they need is kept."""
    inputs = {'x': random(2, 70, 32), 'weight': random(48, 32, seed=1), 'bias': random(48, seed=2)}
    for name, tensor in inputs.items():
        tensor.requires_grad_(name != frozen)
    kept: list[tuple[int, ...]] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(tensor.shape) or tensor, lambda tensor: tensor
    ):
        found = linear(**inputs)
    assert ((2, 70, 32) in kept) == (frozen != 'weight')
    assert ((48, 32) in kept) == (frozen != 'x')
    found.sum().backward()
    for name, tensor in inputs.items():
        assert (tensor.grad is None) == (name == frozen)


@needs_onednn
def test_results_may_be_changed_in_place(products: list) -> None:
    """As those of torch, also where there are more dimensions than two."""
    x, weight = random(2, 70, 32).requires_grad_(), random(48, 32, seed=1)
    found = linear(x, weight)
    assert found._base is None
    found += 1
    found.sum().backward()
    torch.testing.assert_close(x.grad, weight.sum(0).expand_as(x))


@needs_onednn
def test_second_derivatives(products: list) -> None:
    """They are torch's."""
    x, weight = random(3, 6).double().float().requires_grad_(), random(4, 6, seed=1).requires_grad_()
    (of_x,) = torch.autograd.grad(linear(x, weight).square().sum(), x, create_graph=True)
    (found,) = torch.autograd.grad(of_x.square().sum(), weight)
    (of_x,) = torch.autograd.grad(F.linear(x, weight).square().sum(), x, create_graph=True)
    (expected,) = torch.autograd.grad(of_x.square().sum(), weight)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


@needs_onednn
def test_what_others_look_at_is_torchs(products: list) -> None:
    """Autocast, counters of FLOPs, traces, torch.func, other types and classes, and oneDNN switched off."""
    x, weight, bias = random(2, 70, 32), random(48, 32, seed=1), random(48, seed=2)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert linear(x, weight, bias).dtype == torch.bfloat16
    assert linear(x.double(), weight.double(), bias.double()).dtype == torch.float64
    assert linear(x.to('meta'), weight.to('meta'), bias.to('meta')).device.type == 'meta'
    with torch.backends.mkldnn.flags(enabled=False):
        linear(x, weight, bias)
    with FlopCounterMode(display=False) as counter:
        linear(x, weight, bias)
    assert counter.get_total_flops() == 2 * 140 * 32 * 48
    traced = torch.jit.trace(linear, (x, weight, bias), check_trace=False)
    assert 'mkldnn' not in str(traced.graph)
    torch.func.grad(lambda weight: linear(x, weight, bias).sum())(weight)
    assert not products
    with FlopCounterMode(display=False) as counter:
        found = linear(x.requires_grad_(), weight, bias)
    (of_x,) = torch.autograd.grad(found.sum(), x)
    torch.testing.assert_close(of_x, weight.sum(0).expand_as(x))


def test_wrong_shapes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch says what does not fit."""
    monkeypatch.setattr(module, 'onednn_is_faster', lambda: True)
    monkeypatch.setattr(module, 'LEAST_PRODUCTS', 0)
    with pytest.raises(RuntimeError, match='shapes cannot be multiplied'):
        linear(random(2, 5, 48), random(8, 32))
    with pytest.raises(RuntimeError, match='dtype'):
        linear(random(2, 5, 32), random(8, 32).double())
    with pytest.raises(RuntimeError):
        linear(random(2, 5, 32), random(8, 32), random(9))
    assert linear(random(0, 5, 32), random(8, 32)).shape == (0, 5, 8)
    assert linear(random(32), random(8, 32)).shape == (8,)


@needs_onednn
def test_compiled(products: list) -> None:
    """A graph is of torch's operators, for all sizes of batches."""
    weight, bias = random(48, 32, seed=1), random(48, seed=2)
    graph = torch.compile(linear, backend='aot_eager', fullgraph=True, dynamic=True)
    for size in (3, 7, 2):
        x = random(size, 70, 32)
        assert torch.equal(graph(x, weight, bias), F.linear(x, weight, bias))
    assert not products


def test_it_is_for_amd_with_avx512(monkeypatch: pytest.MonkeyPatch) -> None:
    """And for no other processor, nor a torch without oneDNN or MKL."""
    monkeypatch.setattr(module, '_is_amd', lambda: True)
    monkeypatch.setattr(torch.backends.cpu, 'get_cpu_capability', lambda: 'AVX2')
    assert not module.onednn_is_faster.__wrapped__()
    monkeypatch.setattr(torch.backends.cpu, 'get_cpu_capability', lambda: 'AVX512')
    monkeypatch.setattr(torch.backends.mkldnn, 'is_available', lambda: False)
    assert not module.onednn_is_faster.__wrapped__()
