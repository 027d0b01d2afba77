"""Weighted sums of rows against the product with a dense matrix."""

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from point_peft.ops import interpolate, three_nn, weighted_gather, weighted_scatter


def dense(features, index, weights):
    """The definition: a matrix (B, N, S) that is zero but for the rows that are taken."""
    matrix = weights.new_zeros(*index.shape[:2], features.shape[1]).scatter_add_(2, index, weights)
    return matrix @ features.to(weights.dtype)


def example(dtype=torch.float64, taken=7):
    """Features (3, 9, 4), of which the last are never taken, some twice in one sum; K = 5."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3, 9, 4, generator=generator, dtype=dtype)
    index = torch.randint(0, taken, (3, 20, 5), generator=generator)
    return features, index, torch.rand(3, 20, 5, generator=generator, dtype=dtype)


def test_hand_computed_example():
    features = torch.tensor([[[1.0], [2.0], [4.0]], [[8.0], [16.0], [32.0]]])
    index = torch.tensor([[[0, 2]], [[1, 1]]])
    weights = torch.tensor([[[0.5, 0.25]], [[1.0, 2.0]]])
    assert weighted_gather(features, index, weights).tolist() == [[[1.5]], [[48.0]]]


@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float32, 1e-6), (torch.float64, 1e-13)])
def test_equals_the_product_with_its_gradient(dtype, tolerance):
    features, index, weights = example(dtype)
    direction = torch.randn(3, 20, 4, dtype=dtype)
    results = []
    for function in (weighted_gather, dense):
        leaf = features.clone().requires_grad_()
        out = function(leaf, index, weights)
        results.append((out.detach(), *torch.autograd.grad((out * direction).sum(), leaf)))
    assert not results[0][1][:, 7:].any()  # rows that no sum takes
    torch.testing.assert_close(*results, atol=tolerance, rtol=tolerance)


def test_gradcheck():
    features, index, weights = example()
    assert torch.autograd.gradcheck(lambda x: weighted_gather(x, index, weights), features.requires_grad_())


@pytest.mark.parametrize('dtype', [torch.float64, torch.bfloat16])
def test_scatter_is_the_gradient(dtype):
    features, index, weights = example(dtype)
    direction = torch.randn(3, 20, 4).to(dtype)
    expected = forward_and_gradient(features, index, weights, direction)[1]
    assert torch.equal(weighted_scatter(direction, index, weights, 9), expected)
    turned = direction.mT.contiguous().mT  # another layout
    assert torch.equal(weighted_scatter(turned, index, weights, 9), expected)
    assert torch.equal(weighted_scatter(turned[:1], index[:1], weights[:1], 9), expected[:1])


def test_interpolation_at_the_sizes_of_part_segmentation():
    points, features = torch.rand(2, 2048, 3), torch.randn(2, 128, 64)
    centers = points[:, :128]
    direction = torch.randn(2, 2048, 64)
    leaves = [features.clone().requires_grad_() for _ in range(2)]
    found, expected = interpolate(points, centers, leaves[0]), dense(leaves[1], *three_nn(points, centers))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(found[:, :128], features, atol=1e-2, rtol=0)  # a center keeps its own
    gradients = [torch.autograd.grad(out, leaf, direction)[0] for out, leaf in zip((found, expected), leaves)]
    # A center takes part in about fifty sums; in float32 their order shows in the last digits.
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-5)


def test_each_sample_is_independent_of_its_batch():
    features, index, weights = example(torch.float32)
    direction = torch.randn(3, 20, 4)
    gradient = forward_and_gradient(features, index, weights, direction)
    for sample in range(3):
        one = slice(sample, sample + 1)
        alone = forward_and_gradient(features[one], index[one], weights[one], direction[one])
        for together, single in zip(gradient, alone):
            assert torch.equal(together[one], single)


def forward_and_gradient(features, index, weights, direction):
    """The sums, and what the features get of ``direction``."""
    leaf = features.clone().requires_grad_()
    out = weighted_gather(leaf, index, weights)
    return out.detach(), torch.autograd.grad(out, leaf, direction)[0]


def test_permuted_sums_and_rows():
    features, index, weights = example()
    expected = weighted_gather(features, index, weights)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    assert torch.equal(weighted_gather(features, index[:, order], weights[:, order]), expected[:, order])
    rows = torch.randperm(9, generator=torch.Generator().manual_seed(2))
    assert torch.equal(weighted_gather(features[:, rows], rows.argsort()[index], weights), expected)


def test_the_same_bits_every_time():
    features, points = torch.randn(2, 64, 32), torch.rand(2, 4096, 3)
    given = features, *three_nn(points, points[:, :64]), torch.randn(2, 4096, 32)
    first, second = (forward_and_gradient(*given) for _ in range(2))
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_and_autocast_add_up_in_float32(dtype):
    features, index, weights = example(torch.float32)
    half = features.to(dtype).requires_grad_()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        full = weighted_gather(features, index, weights)
        out = weighted_gather(half, index, weights)
        out.float().sum().backward()
    assert torch.equal(full, weighted_gather(features, index, weights)) and full.dtype == torch.float32
    in_float32 = weighted_gather(half.detach().float(), index, weights)
    assert torch.equal(out, in_float32.to(dtype)) and half.grad.dtype == dtype
    constant = weighted_gather(torch.ones_like(half), index, weights / weights.sum(-1, keepdim=True))
    assert torch.equal(constant, torch.ones_like(constant))


def test_memory_holds_neither_all_pairs_nor_all_neighbours():
    """The largest block of a forward and backward is one of the size of the result."""
    features, points = torch.randn(1, 1024, 32, requires_grad=True), torch.rand(1, 20000, 3)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        interpolate(points, points[:, :1024], features).sum().backward()
    largest = max(event.cpu_memory_usage for event in profiled.events())
    assert 20000 * 32 * 4 <= largest < 2 * 20000 * 32 * 4


def test_what_is_kept_for_the_backward():
    features, index, weights = example()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()), lambda x: x):
        weighted_gather(features.requires_grad_(), index, weights)
    assert sum(kept) == 2 * index.numel()


def test_needs_no_value_on_the_host():
    index = torch.empty(2, 5, 3, dtype=torch.int64, device='meta')
    features = torch.empty(2, 4, 6, device='meta')
    assert weighted_gather(features, index, torch.empty(2, 5, 3, device='meta')).shape == (2, 5, 6)


def test_bad_input_is_named():
    features, index, weights = example()
    with pytest.raises(
        ValueError, match=r'weights \(3, 20, 4\), expected \(B, N, K\) of both; give one weight'
    ):
        weighted_gather(features, index, weights[..., :4])
    with pytest.raises(ValueError, match=r'features has shape \(9, 4\), expected \(B, N, C\)'):
        weighted_gather(features[0], index, weights)
    with pytest.raises(ValueError, match='features holds 2 samples but index holds 3'):
        weighted_gather(features[:2], index, weights)
    with pytest.raises(ValueError, match='index has dtype torch.int32, expected torch.int64'):
        weighted_gather(features, index.int(), weights)
    with pytest.raises(IndexError, match='but a sample has rows 0 to 8'):
        weighted_gather(features, index + 5, weights)
    with pytest.raises(IndexError, match='but a sample has rows 0 to 5'):
        weighted_scatter(torch.randn(3, 20, 4), index, weights, 6)
    with pytest.raises(ValueError, match=r'sums has shape \(3, 9, 4\) but index \(3, 20, 5\); give a row'):
        weighted_scatter(features, index, weights, 9)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_cuda_equals_the_cpu():
    features, index, weights = example(torch.float32)
    direction = torch.randn(3, 20, 4)
    expected = forward_and_gradient(features, index, weights, direction)
    found = forward_and_gradient(*(x.cuda() for x in (features, index, weights, direction)))
    for one, other in zip(found, expected):
        torch.testing.assert_close(one.cpu(), other, atol=1e-6, rtol=1e-6)
