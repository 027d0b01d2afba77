import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from point_peft.ops import chamfer_distance, chamfer_distance_l1, distance

BOTH = pytest.mark.parametrize('chamfer', [chamfer_distance, chamfer_distance_l1])


def on_x_axis(*x, dtype=torch.float32):
    return torch.tensor([[value, 0, 0] for value in x], dtype=dtype)[None]


def test_hand_computed():
    # a to b: 1. b to a: (1 + 9) / 2 squared, (1 + 3) / 2 plain.
    a, b = on_x_axis(0), on_x_axis(1, 3)
    assert chamfer_distance(a, b).item() == pytest.approx(1 + 5)
    assert chamfer_distance_l1(a, b).item() == pytest.approx((1 + 2) / 2)


def test_gradient_hand_computed():
    a, b = on_x_axis(0).requires_grad_(), on_x_axis(1, 3).requires_grad_()
    chamfer_distance(a, b).backward()
    # d/da: 2 (0 - 1) + (2 (0 - 1) + 2 (0 - 3)) / 2; d/db: 2 (1 - 0) + 2 (1 - 0) / 2 and 2 (3 - 0) / 2.
    assert a.grad[0, :, 0].tolist() == [-6.0]
    assert b.grad[0, :, 0].tolist() == [3.0, 3.0]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_equals_the_reference(data, clouds, reference):
    a, b = data.draw(clouds()), data.draw(clouds())
    pairs = list(zip(a.double().tolist(), b.double().tolist(), strict=True))
    squared = sum(sum(reference.chamfer(p, q)) for p, q in pairs) / 2
    plain = sum(sum(reference.chamfer(p, q, power=0.5)) for p, q in pairs) / 4
    assert chamfer_distance(a, b).item() == pytest.approx(squared, rel=1e-5, abs=1e-37)
    assert chamfer_distance_l1(a, b).item() == pytest.approx(plain, rel=1e-5, abs=1e-37)


@BOTH
def test_symmetric_translation_invariant_and_zero_on_permuted_clouds(chamfer, cloud_batch):
    a, b = cloud_batch[:2], cloud_batch[2:, :40]
    torch.testing.assert_close(chamfer(a, b), chamfer(b, a))
    torch.testing.assert_close(chamfer(a + 8, b + 8), chamfer(a, b), rtol=1e-5, atol=1e-6)
    assert chamfer(a, a.flip(1)) == 0
    assert chamfer(a, b) > 0.1


@BOTH
def test_batch_value_is_the_mean_of_its_samples(chamfer, cloud_batch):
    other = cloud_batch.flip(0)[:, :40]
    alone = [chamfer(p[None], q[None]) for p, q in zip(cloud_batch, other, strict=True)]
    torch.testing.assert_close(chamfer(cloud_batch, other), torch.stack(alone).mean())


@BOTH
def test_gradient_by_finite_differences(chamfer, cloud_batch):
    a, b = (cloud_batch[i : i + 2, :8].double().requires_grad_() for i in (0, 2))
    assert torch.autograd.gradcheck(chamfer, (a, b[:, :5]))


@BOTH
def test_gradient_is_finite_for_coincident_and_duplicate_points(chamfer):
    a, b = (torch.ones(2, 4, 3, requires_grad=True) for _ in range(2))
    chamfer(a, b).backward()
    assert a.grad.eq(0).all() and b.grad.eq(0).all()


@BOTH
def test_chunks_change_nothing(chamfer, cloud_batch, monkeypatch):
    a, b = cloud_batch[:2], cloud_batch[2:]
    whole = chamfer(a, b)
    monkeypatch.setattr(distance, 'CPU_CHUNK', 1000)
    assert torch.equal(chamfer(a, b), whole)


@BOTH
def test_backward_keeps_no_matrix_of_distances(chamfer):
    a, b = (torch.rand(1, 500, 3, requires_grad=True) for _ in range(2))
    sizes = []

    def pack(tensor):
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        chamfer(a, b).backward()
    assert 0 < max(sizes) <= 500 * 3


@BOTH
def test_many_tiny_clouds(chamfer, reference):
    # Masked auto-encoding compares 32-point patches, (B * M, 32, 3).
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(600, 32, 3, generator=generator, requires_grad=True) for _ in range(2))
    value = chamfer(a, b)
    value.backward()
    first = chamfer(a[:1], b[:1]).item()
    power = 1.0 if chamfer is chamfer_distance else 0.5
    expected = sum(reference.chamfer(a[0].tolist(), b[0].tolist(), power=power))
    assert first == pytest.approx(expected if chamfer is chamfer_distance else expected / 2, rel=1e-5)
    assert a.grad.isfinite().all() and b.grad.abs().sum() > 0


@BOTH
@pytest.mark.parametrize(
    ('dtype', 'expected'),
    [(torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64, torch.float64)],
)
def test_precision_under_autocast(chamfer, cloud_batch, dtype, expected):
    a, b = cloud_batch[:2].to(dtype), cloud_batch[2:].to(dtype)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        value = chamfer(a, b)
    assert value.dtype == expected and value.shape == ()
    assert torch.equal(value, chamfer(a, b))


@BOTH
def test_needs_no_value_on_the_host(chamfer):
    assert chamfer(torch.empty(2, 8, 3, device='meta'), torch.empty(2, 5, 3, device='meta')).shape == ()


@BOTH
def test_bad_input_is_named(chamfer, cloud_batch):
    with pytest.raises(ValueError, match='a holds 1 samples but b holds 4'):
        chamfer(cloud_batch[:1], cloud_batch)
    with pytest.raises(ValueError, match=r'b has shape \(4, 0, 3\)'):
        chamfer(cloud_batch, cloud_batch[:, :0])


@BOTH
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_cuda_equals_the_cpu(chamfer, cloud_batch):
    a, b = cloud_batch[:2], cloud_batch[2:]
    torch.testing.assert_close(chamfer(a.cuda(), b.cuda()).cpu(), chamfer(a, b))
