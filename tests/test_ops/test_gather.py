import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from point_peft.ops import gather


def test_hand_computed():
    features = torch.tensor([[[1.0, 10.0], [2.0, 20.0]], [[3.0, 30.0], [4.0, 40.0]]])
    index = torch.tensor([[1, 1, 0], [0, 1, 0]])
    assert gather(features, index).tolist() == [
        [[2.0, 20.0], [2.0, 20.0], [1.0, 10.0]],
        [[3.0, 30.0], [4.0, 40.0], [3.0, 30.0]],
    ]


@settings(max_examples=50, deadline=None)
@given(
    batch=st.integers(1, 4),
    rows=st.integers(1, 7),
    width=st.integers(1, 5),
    shape=st.lists(st.integers(1, 4), max_size=3),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_for_any_index_shape(batch, rows, width, shape, seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(batch, rows, width, generator=generator)
    index = torch.randint(rows, (batch, *shape), generator=generator)
    result = gather(features, index)
    assert result.shape == (batch, *shape, width)
    for sample in range(batch):
        flat = result[sample].reshape(-1, width)
        for position, row in enumerate(index[sample].flatten().tolist()):
            assert torch.equal(flat[position], features[sample, row])


def test_no_sample_reads_another_one():
    features = torch.randn(3, 5, 4, requires_grad=True)
    index = torch.randint(5, (3, 6, 2))
    gather(features, index)[1].sum().backward()
    assert features.grad[[0, 2]].eq(0).all()
    # Each row of the chosen sample receives one unit of gradient for each time that it was read.
    assert torch.equal(features.grad[1, :, 0], index[1].flatten().bincount(minlength=5).float())


def test_gradient():
    features = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    index = torch.randint(5, (2, 4, 3))
    assert torch.autograd.gradcheck(lambda x: gather(x, index), features)
    assert torch.autograd.gradgradcheck(lambda x: gather(x, index), features)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64, torch.int64])
def test_dtype_is_kept(dtype):
    assert gather(torch.zeros(2, 5, 3, dtype=dtype), torch.zeros(2, 4, dtype=torch.int64)).dtype == dtype


def test_non_contiguous_features():
    features = torch.randn(2, 3, 5).mT
    index = torch.randint(5, (2, 4))
    assert torch.equal(gather(features, index), gather(features.contiguous(), index))


def test_needs_no_value_on_the_host():
    index = torch.empty(2, 4, 3, dtype=torch.int64, device='meta')
    assert gather(torch.empty(2, 5, 6, device='meta'), index).shape == (2, 4, 3, 6)


def test_an_index_of_the_next_sample_is_refused():
    with pytest.raises(IndexError):
        gather(torch.zeros(2, 5, 3), torch.tensor([[5], [0]]))


def test_bad_input_is_named():
    index = torch.zeros(2, 4, dtype=torch.int64)
    with pytest.raises(ValueError, match=r'features has shape \(2, 5\), expected \(B, N, C\)'):
        gather(torch.zeros(2, 5), index)
    with pytest.raises(ValueError, match=r'index has dtype torch\.float32, expected torch.int64'):
        gather(torch.zeros(2, 5, 3), index.float())
    with pytest.raises(ValueError, match='features holds 1 samples but index holds 2'):
        gather(torch.zeros(1, 5, 3), index)
