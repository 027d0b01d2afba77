import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from point_peft.ops import Groups, group


def test_hand_computed():
    points = torch.tensor([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [10.0, 0.0, 0.0], [10.0, 2.0, 0.0]]])
    groups = group(points, 2, 2)
    assert isinstance(groups, Groups)
    assert groups.center_index.tolist() == [[0, 3]]
    assert groups.centers.tolist() == [[[0.0, 0.0, 0.0], [10.0, 2.0, 0.0]]]
    assert groups.neighbor_index.tolist() == [[[0, 1], [3, 2]]]
    assert groups.neighborhoods.tolist() == [
        [[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, -2.0, 0.0]]]
    ]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_equals_the_reference(data, clouds, reference):
    points = data.draw(clouds())
    num_groups, group_size = (data.draw(st.integers(1, points.shape[1])) for _ in range(2))
    centers, neighborhoods, center_index, neighbor_index = group(points, num_groups, group_size)
    assert neighborhoods.shape == (*neighbor_index.shape, 3) == (2, num_groups, group_size, 3)
    assert neighborhoods[:, :, 0].eq(0).all()
    for sample, cloud in enumerate(points.double().tolist()):
        assert center_index[sample].tolist() == reference.farthest_point_sample(cloud, num_groups)
        assert torch.equal(centers[sample], points[sample, center_index[sample]])
        nearest = torch.tensor(reference.knn(centers[sample].double().tolist(), cloud, group_size))
        origin = centers[sample].unsqueeze(1)
        assert torch.equal(neighborhoods[sample], points[sample, neighbor_index[sample]] - origin)
        # Ties have no order, so the distances are compared.
        radius, expected = neighborhoods[sample].norm(dim=-1), (points[sample, nearest] - origin).norm(dim=-1)
        torch.testing.assert_close(radius, expected, rtol=1e-6, atol=0)


def test_each_sample_is_independent_of_its_batch(cloud_batch):
    together = group(cloud_batch, 16, 8)
    alone = [group(cloud[None], 16, 8) for cloud in cloud_batch]
    for field, parts in zip(together, zip(*alone, strict=True), strict=False):
        assert torch.equal(field, torch.cat(parts))


def test_translation_moves_the_centers_only():
    points = torch.randint(-50, 50, (2, 40, 3), generator=torch.Generator().manual_seed(1)).float()
    shift = torch.tensor([1e4, -1e4, 3e4])
    here, there = group(points, 8, 6), group(points + shift, 8, 6)
    assert torch.equal(there.neighborhoods, here.neighborhoods)
    assert torch.equal(there.centers, here.centers + shift)


def test_gradient_flows_through_centers_and_neighborhoods(cloud_batch):
    points = cloud_batch[:2, :12].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: group(x, 4, 3)[:2], points)
    # Centred coordinates do not move with the cloud, so their gradients cancel; the centers collect 4 x 3
    # units.
    groups = group(points, 4, 3)
    [gradient] = torch.autograd.grad(groups.neighborhoods.sum(), points, retain_graph=True)
    torch.testing.assert_close(gradient.sum(1), torch.zeros(2, 3, dtype=torch.float64))
    [gradient] = torch.autograd.grad(groups.centers.sum(), points)
    assert gradient.sum((1, 2)).tolist() == [12.0, 12.0]


def test_autocast_keeps_the_coordinates(cloud_batch):
    with torch.autocast('cpu', dtype=torch.bfloat16):
        groups = group(cloud_batch, 16, 8)
    for field, expected in zip(groups, group(cloud_batch, 16, 8), strict=True):
        assert field.dtype == expected.dtype and torch.equal(field, expected)


def test_needs_no_value_on_the_host():
    assert group(torch.empty(2, 32, 3, device='meta'), 4, 8).neighborhoods.shape == (2, 4, 8, 3)


def test_too_few_points_name_the_numbers_and_the_remedy(cloud_batch):
    with pytest.raises(ValueError, match=r'^num_points=64 < num_groups=128; lower num_groups or provide'):
        group(cloud_batch, 128, 32)
    with pytest.raises(ValueError, match=r'^num_points=64 < group_size=65; lower group_size or provide'):
        group(cloud_batch, 16, 65)
    with pytest.raises(ValueError, match='num_groups=0, expected at least 1'):
        group(cloud_batch, 0, 8)
    with pytest.raises(ValueError, match=r'points has shape \(64, 3\), expected \(B, N, 3\)'):
        group(cloud_batch[0], 8, 8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_cuda_equals_the_cpu(cloud_batch):
    for field, expected in zip(group(cloud_batch.cuda(), 16, 8), group(cloud_batch, 16, 8), strict=True):
        assert field.is_cuda and torch.equal(field.cpu(), expected)
