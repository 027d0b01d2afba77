"""Tests of max pooling over regions."""

import pytest
import torch

from point_peft.ops import flat_rows, gather, region_max_pool, region_pooling


def plain(tokens, index, update, weight):
    """The definition."""
    return (gather(tokens, index) + update @ weight.T).amax(dim=2)


def pool(tokens, index, update, weight):
    """What is tested, of indices into each sample."""
    return region_max_pool(tokens, flat_rows(index, tokens.shape[1]), update, weight)


def example(dtype=torch.float64, regions=5):
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(3, 7, 4, generator=generator, dtype=dtype)
    index = torch.randint(0, 7, (3, regions, 3), generator=generator)
    update = torch.randn(3, regions, 3, 2, generator=generator, dtype=dtype)
    weight = torch.randn(4, 2, generator=generator, dtype=dtype)
    return tokens, index, update, weight


def test_hand_computed_example():
    tokens = torch.tensor([[[1.0], [2.0], [5.0]]])
    index = torch.tensor([[[0, 1], [1, 2]]])
    update = torch.tensor([[[[3.0], [1.0]], [[0.0], [-2.0]]]])
    # Region 0: max(1 + 2*3, 2 + 2*1) = 7; region 1: max(2 + 0, 5 - 4) = 2.
    assert pool(tokens, index, update, torch.tensor([[2.0]])).tolist() == [[[7.0], [2.0]]]


@pytest.mark.parametrize('chunk', [1, 4, 1024])
def test_equals_the_definition_with_its_gradients(chunk, monkeypatch):
    monkeypatch.setitem(region_pooling.CHUNK_ROWS, 'cpu', chunk)
    tokens, index, update, weight = example()
    mine = [value.clone().requires_grad_() for value in (tokens, update, weight)]
    reference = [value.clone().requires_grad_() for value in (tokens, update, weight)]
    factors = torch.randn(3, 5, 4, dtype=torch.float64)
    out = pool(mine[0], index, mine[1], mine[2])
    expected = plain(reference[0], index, reference[1], reference[2])
    torch.testing.assert_close(out, expected)
    (out * factors).sum().backward()
    (expected * factors).sum().backward()
    for one, other in zip(mine, reference):
        torch.testing.assert_close(one.grad, other.grad)


def test_gradcheck():
    tokens, index, update, weight = example(regions=2)
    inputs = [value.requires_grad_() for value in (tokens, update, weight)]
    assert torch.autograd.gradcheck(lambda t, u, w: pool(t, index, u, w), inputs)


def test_of_equal_neighbours_the_first_gets_the_gradient():
    tokens = torch.ones(1, 4, 2, requires_grad=True)
    update = torch.zeros(1, 1, 3, 1)
    pool(tokens, torch.tensor([[[2, 0, 3]]]), update, torch.zeros(2, 1)).sum().backward()
    assert tokens.grad.tolist() == [[[0, 0], [0, 0], [1, 1], [0, 0]]]


def test_keeps_a_byte_for_each_value():
    tokens, index, update, weight = example()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        pool(tokens.requires_grad_(), index, update, weight)
    assert max(x.nbytes for x in kept if x.shape == (15, 4)) == 15 * 4


def test_regions_of_more_neighbours_than_a_byte_counts():
    tokens = torch.arange(300.0).view(1, 300, 1).requires_grad_()
    index = torch.arange(300).view(1, 1, 300)
    pool(tokens, index, torch.zeros(1, 1, 300, 1), torch.zeros(1, 1)).sum().backward()
    assert tokens.grad.flatten().nonzero().tolist() == [[299]]


def test_samples_do_not_mix():
    tokens, index, update, weight = example(torch.float32)
    changed = torch.cat([tokens[:1], tokens[1:] + 100])
    out, other = (pool(value, index, update, weight) for value in (tokens, changed))
    assert torch.equal(out[0], other[0]) and not torch.equal(out[1], other[1])


def test_an_update_in_another_order_in_memory():
    tokens, index, update, weight = example()
    permuted = update.mT.contiguous().mT
    gradients = []
    for value in (update, permuted):
        value = value.detach().requires_grad_()
        pool(tokens, index, value, weight).sum().backward()
        gradients.append(value.grad)
    torch.testing.assert_close(*gradients)


def test_without_gradient():
    tokens, index, update, weight = example()
    with torch.no_grad():
        out = pool(tokens.requires_grad_(), index, update, weight)
    assert not out.requires_grad


def test_an_index_of_the_next_sample_is_refused():
    tokens, index, update, weight = example()
    with pytest.raises(IndexError, match='but a sample has rows 0 to 6'):
        pool(tokens, index + 5, update, weight)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_there_is_no_second_derivative(dtype):
    tokens, index, update, weight = example(dtype)
    out = pool(tokens, index, update.requires_grad_(), weight)
    (gradient,) = torch.autograd.grad(out.pow(2).sum(), update, create_graph=True)
    with pytest.raises(RuntimeError, match='differentiate twice'):
        (gradient.pow(2).sum() + update.sum()).backward()
