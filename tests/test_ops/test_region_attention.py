"""Tests of attention within regions."""

import pytest
import torch
from torch.nn import functional as F

from point_peft.ops import flat_rows, region_attention, take_rows


def plain(qkv, rows, num_heads):
    """The definition, on the regions' own queries, keys and values."""
    near = take_rows(qkv, rows)  # (B, S, K, 3*A)
    query, key, value = near.unflatten(3, (3, num_heads, -1)).permute(3, 0, 1, 4, 2, 5)
    return F.scaled_dot_product_attention(query, key, value).transpose(2, 3).flatten(3)


def example(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    qkv = torch.randn(2, 7, 12, generator=generator, dtype=dtype)
    index = torch.randint(0, 7, (2, 4, 3), generator=generator)  # some tokens twice in a region
    return qkv, flat_rows(index, 7)


def test_hand_computed_example():
    # One region of two tokens, a head of one channel; equal keys are attended to alike.
    qkv = torch.tensor([[[1.0, 0.0, 2.0], [5.0, 0.0, 4.0]]])
    assert region_attention(qkv, torch.tensor([[[0, 1]]]), 1).tolist() == [[[[3.0], [3.0]]]]


@pytest.mark.parametrize('num_heads', [1, 2])
def test_equals_the_definition_with_its_gradient(num_heads):
    qkv, rows = example()
    mine, reference = qkv.clone().requires_grad_(), qkv.clone().requires_grad_()
    factors = torch.randn(2, 4, 3, 4, dtype=torch.float64)
    out, expected = region_attention(mine, rows, num_heads), plain(reference, rows, num_heads)
    torch.testing.assert_close(out, expected)
    (out * factors).sum().backward()
    (expected * factors).sum().backward()
    torch.testing.assert_close(mine.grad, reference.grad)


def test_gradcheck():
    qkv, rows = example()
    assert torch.autograd.gradcheck(lambda x: region_attention(x, rows, 2), qkv.requires_grad_())


def test_keeps_nothing_of_the_regions():
    qkv, rows = example(torch.float32)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.shape) or x, lambda x: x):
        region_attention(qkv.requires_grad_(), rows, 2)
    assert sorted(kept) == [(8, 3), (14, 12)]


def test_autocast_does_not_round():
    qkv, rows = example(torch.float32)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(region_attention(qkv, rows, 2), region_attention(qkv.clone(), rows, 2))
        rounded = region_attention(qkv.bfloat16(), rows, 2)
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded, plain(qkv.bfloat16().float(), rows, 2).bfloat16())


def test_a_gradient_in_another_order_in_memory():
    qkv, rows = example()
    factors = torch.randn(2, 4, 4, 3, dtype=torch.float64).mT
    gradients = []
    for kept in (factors, factors.contiguous()):
        value = qkv.clone().requires_grad_()
        gradients.append(torch.autograd.grad(region_attention(value, rows, 2), value, kept)[0])
    assert torch.equal(*gradients)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_second_derivative(dtype):
    qkv, rows = example(dtype)
    penalties = []
    for attend in (region_attention, plain):
        value = qkv.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(attend(value, rows, 2).pow(2).sum(), value, create_graph=True)
        penalties.append(torch.autograd.grad(gradient.pow(2).sum(), value)[0])
    torch.testing.assert_close(*penalties, rtol=1e-4, atol=1e-4)
