import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from point_peft.ops import distance, gather, knn


def squared(query, support, index):
    return (query.unsqueeze(2) - gather(support, index)).double().square().sum(-1)


def test_hand_computed():
    support = torch.tensor([[[0.0, 0.0, 0.0], [5.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]])
    query = torch.tensor([[[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]]])
    assert knn(query, support, 3).tolist() == [[[0, 2, 3], [1, 2, 0]]]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_distances_equal_the_reference(data, clouds, reference):
    support = data.draw(clouds())
    query = support if data.draw(st.booleans()) else data.draw(clouds())
    k = data.draw(st.integers(1, support.shape[1]))
    pairs = zip(query.double().tolist(), support.double().tolist(), strict=True)
    expected = torch.tensor([reference.knn(q, s, k) for q, s in pairs])
    index = knn(query, support, k)
    assert index.dtype == torch.int64 and index.shape == expected.shape
    # Ties have no order, so the distances are compared; within a row no support may appear twice.
    distances, nearest = squared(query, support, index), squared(query, support, expected)
    torch.testing.assert_close(distances, nearest, rtol=1e-6, atol=0)
    assert all(len(set(row)) == k for rows in index.tolist() for row in rows)


def test_indices_equal_the_reference_without_ties(cloud_batch, reference):
    index = knn(cloud_batch[:, :16], cloud_batch, 10)
    clouds = cloud_batch.double().tolist()
    assert index.tolist() == [reference.knn(cloud[:16], cloud, 10) for cloud in clouds]


@pytest.mark.parametrize('offset', [0.0, 1e3, 1e6])
def test_translation_changes_no_neighbour_far_from_the_origin(offset):
    # Integer coordinates survive the shift exactly; the expansion |q|^2 - 2qs + |s|^2 would lose them all at
    # 1e6.
    x = torch.tensor([0.0, 1.0, 3.0, 7.0, 15.0, 31.0])
    points = torch.stack([x, torch.zeros(6), torch.zeros(6)], dim=-1)[None]
    assert knn(points + offset, points + offset, 3).tolist() == [
        [[0, 1, 2], [1, 0, 2], [2, 1, 0], [3, 2, 1], [4, 3, 2], [5, 4, 3]]
    ]


def test_chunks_change_nothing(cloud_batch, monkeypatch):
    whole = knn(cloud_batch, cloud_batch, 8)
    monkeypatch.setattr(distance, 'CPU_CHUNK', 1000)
    assert torch.equal(knn(cloud_batch, cloud_batch, 8), whole)


def test_each_sample_is_independent_of_its_batch(cloud_batch):
    together = knn(cloud_batch[:, :16], cloud_batch, 8)
    assert torch.equal(together, torch.cat([knn(cloud[None, :16], cloud[None], 8) for cloud in cloud_batch]))


def test_permuted_support_permutes_the_indices(cloud_batch):
    order = torch.randperm(64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(order[knn(cloud_batch, cloud_batch[:, order], 8)], knn(cloud_batch, cloud_batch, 8))


def test_float64_is_not_rounded():
    support = torch.zeros(1, 3, 3, dtype=torch.float64)
    support[0, :, 0] = torch.tensor([1 + 2e-12, 1 + 1e-12, 1], dtype=torch.float64)
    assert knn(support[:, 2:], support, 3).tolist() == [[[2, 1, 0]]]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_and_autocast_compute_in_float32(cloud_batch, dtype):
    half = cloud_batch.to(dtype)
    expected_half, expected = knn(half.float(), half.float(), 8), knn(cloud_batch, cloud_batch, 8)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(knn(half, half, 8), expected_half)
        assert torch.equal(knn(cloud_batch, cloud_batch, 8), expected)


def test_mixed_precision_of_the_two_clouds(cloud_batch):
    assert knn(cloud_batch.half(), cloud_batch, 1).shape == (4, 64, 1)
    assert knn(cloud_batch.double(), cloud_batch, 1).squeeze(-1).eq(torch.arange(64)).all()


def test_needs_no_value_on_the_host():
    points = torch.empty(2, 32, 3, device='meta')
    assert knn(points[:, :4], points, 8).shape == (2, 4, 8)


def test_bad_input_is_named(cloud_batch):
    with pytest.raises(ValueError, match=r'num_points=64 < k=65.*lower k / group_size'):
        knn(cloud_batch, cloud_batch, 65)
    with pytest.raises(ValueError, match='k=0, expected at least 1'):
        knn(cloud_batch, cloud_batch, 0)
    with pytest.raises(ValueError, match='query holds 1 samples but support holds 4'):
        knn(cloud_batch[:1], cloud_batch, 2)
    with pytest.raises(ValueError, match=r'support has shape \(4, 64, 2\)'):
        knn(cloud_batch, cloud_batch[..., :2], 2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_cuda_equals_the_cpu_without_synchronising(cloud_batch):
    points = cloud_batch.cuda()
    knn(points, points, 8)
    torch.cuda.set_sync_debug_mode('error')
    try:
        index = knn(points, points, 8)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    assert torch.equal(index.cpu(), knn(cloud_batch, cloud_batch, 8))
