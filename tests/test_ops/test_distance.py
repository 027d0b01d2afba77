import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from point_peft.ops import distance
from point_peft.ops.distance import squared_distance, squared_distance_chunks


def test_hand_computed():
    query = torch.tensor([[[0.0, 0.0, 0.0], [1.0, 2.0, 2.0]]])
    support = torch.tensor([[[1.0, 2.0, 2.0], [0.0, 0.0, -3.0], [1.0, 0.0, 0.0]]])
    assert squared_distance(query, support).tolist() == [[[9.0, 9.0, 1.0], [0.0, 30.0, 8.0]]]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_equals_the_reference_and_is_symmetric(data, clouds, reference):
    query, support = data.draw(clouds()), data.draw(clouds())
    expected = [
        [[reference.squared_distance(p, q) for q in s] for p in cloud]
        for cloud, s in zip(query.double().tolist(), support.double().tolist(), strict=True)
    ]
    assert torch.equal(squared_distance(query, query), squared_distance(query, query).mT)
    result = squared_distance(query, support).double()
    torch.testing.assert_close(result, torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=0)


def test_far_from_the_origin_nothing_cancels():
    offset = torch.tensor([1e6, -1e6, 1e6])
    near = torch.randint(0, 4, (2, 16, 3), generator=torch.Generator().manual_seed(0)).float()
    far = near + offset
    assert torch.equal(squared_distance(far, far), squared_distance(near, near))
    assert squared_distance(far, far).diagonal(dim1=1, dim2=2).eq(0).all()


def test_chunks_cover_all_queries_within_the_budget(cloud_batch, monkeypatch):
    whole = squared_distance(cloud_batch, cloud_batch)
    monkeypatch.setattr(distance, 'CPU_CHUNK', 4 * 64 * 10)
    chunks = list(squared_distance_chunks(cloud_batch, cloud_batch))
    assert [chunk.shape[1] for chunk in chunks] == [10, 10, 10, 10, 10, 10, 4]
    assert torch.equal(torch.cat(chunks, dim=1), whole)


def test_a_support_beyond_the_budget_still_takes_one_query_at_a_time(cloud_batch, monkeypatch):
    monkeypatch.setattr(distance, 'CPU_CHUNK', 1)
    assert [chunk.shape[1] for chunk in squared_distance_chunks(cloud_batch[:, :3], cloud_batch)] == [1, 1, 1]


def test_autocast_does_not_lower_the_precision(cloud_batch):
    with torch.autocast('cpu', dtype=torch.bfloat16):
        result = squared_distance(cloud_batch, cloud_batch)
    assert result.dtype == torch.float32
    assert torch.equal(result, squared_distance(cloud_batch, cloud_batch))


def test_no_gradient_and_input_untouched(cloud_batch):
    points = cloud_batch.clone().requires_grad_()
    assert not squared_distance(points, points).requires_grad
    assert not any(chunk.requires_grad for chunk in squared_distance_chunks(points, points))
    assert torch.equal(points, cloud_batch)


def test_mixed_dimensions_fail():
    with pytest.raises(RuntimeError):
        squared_distance(torch.zeros(2, 4, 3), torch.zeros(3, 4, 3))
