import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from point_peft.ops import interpolation_weights, three_nn


def on_x_axis(*x):
    return torch.tensor([[float(value), 0.0, 0.0] for value in x])[None]


def test_all_supports_hand_computed():
    # Squared distances 1, 4, 4 give the weights 1, 1/4, 1/4 over 3/2.
    weights = interpolation_weights(on_x_axis(0), on_x_axis(1, 2, -2))
    torch.testing.assert_close(weights, torch.tensor([[[2 / 3, 1 / 6, 1 / 6]]]))


def test_three_neighbours_hand_computed():
    # The support at 9 is too far away; 1, 2 and -2 give 1, 1/4, 1/4 again (squared distances, not distances).
    index, weights = three_nn(on_x_axis(0), on_x_axis(9, 2, 1, -2))
    assert index[0, 0, 0] == 2 and index[0, 0, 1:].sort().values.tolist() == [1, 3]
    torch.testing.assert_close(weights, torch.tensor([[[2 / 3, 1 / 6, 1 / 6]]]))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_weights_equal_the_reference(data, clouds, reference):
    query, support = data.draw(clouds()), data.draw(clouds())
    weights = interpolation_weights(query, support)
    expected = [
        reference.interpolation_weights(q, s)
        for q, s in zip(query.double().tolist(), support.double().tolist(), strict=True)
    ]
    expected = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(weights.double(), expected, rtol=1e-5, atol=1e-30)
    assert weights.isfinite().all() and weights.ge(0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:2]))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_three_neighbours_equal_the_reference(data, clouds, reference):
    query, support = data.draw(clouds()), data.draw(clouds(min_points=3))
    index, weights = three_nn(query, support)
    assert index.shape == weights.shape == (*query.shape[:2], 3) and index.dtype == torch.int64
    for q, s, rows in zip(query.double().tolist(), support.double().tolist(), weights.double(), strict=True):
        nearest = [[s[i] for i in row] for row in reference.knn(q, s, 3)]
        pairs = zip(q, nearest, strict=True)
        expected = [reference.interpolation_weights([point], points)[0] for point, points in pairs]
        torch.testing.assert_close(rows, torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize('offset', [0.0, 1e3, 1e6])
def test_a_query_on_a_support_takes_its_feature_at_any_offset(offset):
    points = torch.arange(24.0).view(1, 8, 3) + offset
    torch.testing.assert_close(interpolation_weights(points, points), torch.eye(8)[None], rtol=0, atol=1e-7)
    index, weights = three_nn(points, points)
    assert index[0, :, 0].tolist() == list(range(8))
    torch.testing.assert_close(weights[..., 0], torch.ones(1, 8))


def test_duplicate_supports_share_their_weight():
    points = torch.ones(1, 4, 3)
    assert torch.equal(interpolation_weights(points, points), torch.full((1, 4, 4), 0.25))
    torch.testing.assert_close(three_nn(points, points)[1], torch.full((1, 4, 3), 1 / 3))


def test_permuted_support_permutes_the_columns(cloud_batch):
    order = torch.randperm(64, generator=torch.Generator().manual_seed(1))
    weights = interpolation_weights(cloud_batch[:, :8], cloud_batch)
    permuted = interpolation_weights(cloud_batch[:, :8], cloud_batch[:, order])
    torch.testing.assert_close(permuted, weights[..., order])


def test_each_sample_is_independent_of_its_batch(cloud_batch):
    together = interpolation_weights(cloud_batch, cloud_batch[:, :8])
    alone = [interpolation_weights(cloud[None], cloud[None, :8]) for cloud in cloud_batch]
    assert torch.equal(together, torch.cat(alone))
    index, weights = three_nn(cloud_batch, cloud_batch[:, :8])
    for sample, cloud in enumerate(cloud_batch):
        alone_index, alone_weights = three_nn(cloud[None], cloud[None, :8])
        assert torch.equal(index[sample], alone_index[0]) and torch.equal(weights[sample], alone_weights[0])


def test_eps_flattens_the_weights():
    weights = interpolation_weights(on_x_axis(0), on_x_axis(1, 2), eps=1e6)
    torch.testing.assert_close(weights, torch.full((1, 1, 2), 0.5), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ('given_dtype', 'expected'),
    [(torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64, torch.float64)],
)
def test_precision_under_autocast(cloud_batch, given_dtype, expected):
    points = cloud_batch.to(given_dtype).requires_grad_()
    plain = interpolation_weights(points, points[:, :8])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        weights = interpolation_weights(points, points[:, :8])
        _, three = three_nn(points, points[:, :8])
    assert weights.dtype == three.dtype == expected
    assert torch.equal(weights, plain)
    assert not weights.requires_grad and not three.requires_grad


def test_needs_no_value_on_the_host():
    query, support = torch.empty(2, 4, 3, device='meta'), torch.empty(2, 8, 3, device='meta')
    assert interpolation_weights(query, support).shape == (2, 4, 8)
    assert three_nn(query, support)[1].shape == (2, 4, 3)


def test_bad_input_is_named(cloud_batch):
    with pytest.raises(ValueError, match=r'support has 2 points, expected at least 3.*raise num_groups'):
        three_nn(cloud_batch, cloud_batch[:, :2])
    for function in (interpolation_weights, three_nn):
        with pytest.raises(ValueError, match=r'eps=0\.0, expected a positive number'):
            function(cloud_batch, cloud_batch, eps=0.0)
        with pytest.raises(ValueError, match='query holds 1 samples but support holds 4'):
            function(cloud_batch[:1], cloud_batch)
        with pytest.raises(ValueError, match=r'query has shape \(64, 3\)'):
            function(cloud_batch[0], cloud_batch)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_cuda_equals_the_cpu(cloud_batch):
    points = cloud_batch.cuda()
    expected = interpolation_weights(cloud_batch, cloud_batch[:, :8])
    torch.testing.assert_close(interpolation_weights(points, points[:, :8]).cpu(), expected)
    index, weights = three_nn(points, points[:, :8])
    expected_index, expected_weights = three_nn(cloud_batch, cloud_batch[:, :8])
    assert torch.equal(index.cpu(), expected_index)
    torch.testing.assert_close(weights.cpu(), expected_weights)
