"""Tests of max pooling."""

import pytest
import torch

from point_peft.ops import max_pool


def test_hand_computed_example():
    features = torch.tensor([[1.0, 5.0], [3.0, 2.0], [2.0, 5.0]], requires_grad=True)
    pooled = max_pool(features, dim=0)
    assert pooled.tolist() == [3.0, 5.0]
    pooled.sum().backward()
    # The two fives share the gradient.
    assert features.grad.tolist() == [[0.0, 0.5], [1.0, 0.0], [0.0, 0.5]]


@pytest.mark.parametrize(('shape', 'dim'), [((2, 5, 3), 1), ((4, 300), 1), ((3, 2, 4, 6), 2), ((7,), 0)])
@pytest.mark.parametrize('ties', [False, True])
def test_equals_amax(shape, dim, ties):
    features = torch.randint(0, 3, shape).double() if ties else torch.randn(shape, dtype=torch.float64)
    mine, reference = features.clone().requires_grad_(), features.clone().requires_grad_()
    weights = torch.randn(features.amax(dim).shape, dtype=torch.float64)
    (max_pool(mine, dim) * weights).sum().backward()
    (reference.amax(dim) * weights).sum().backward()
    assert torch.equal(max_pool(features, dim), features.amax(dim))
    torch.testing.assert_close(mine.grad, reference.grad)


def test_as_many_ties_as_a_byte_cannot_count():
    features = torch.zeros(2, 256, requires_grad=True)
    max_pool(features, dim=1).sum().backward()
    torch.testing.assert_close(features.grad, torch.full((2, 256), 1 / 256))


def test_gradcheck():
    features = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: max_pool(x, 1), features)


def test_keeps_no_graph_without_gradient():
    assert not max_pool(torch.randn(2, 3), dim=1).requires_grad


def test_bad_dimension():
    with pytest.raises(IndexError, match='Dimension out of range'):
        max_pool(torch.zeros(2, 3), dim=5)
