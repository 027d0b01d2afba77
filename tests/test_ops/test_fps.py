import logging
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from point_peft.ops import backends, farthest_point_sample, farthest_point_sample_loop, fps

needs_quickfps = pytest.mark.skipif(fps.quickfps_sampler() is None, reason='torch_quickfps is not installed')


@pytest.fixture
def always_bucket(monkeypatch):
    """Send clouds of any size to the bucketed back end."""
    use_buckets(monkeypatch, 0)


def use_buckets(monkeypatch, smallest=fps.MIN_BUCKET_WORK):
    """Take the back end where no compiler is at hand, and for so many pairs of points buckets."""
    monkeypatch.setattr(fps, 'point_kernels_for', lambda points: None)
    monkeypatch.setattr(fps, 'MIN_BUCKET_WORK', smallest)


def on_x_axis(*x, dtype=torch.float32):
    return torch.tensor([[value, 0, 0] for value in x], dtype=dtype)[None]


def test_hand_computed():
    # After 0 and 10 the distances of 1, 2, 3 are 1, 2, 3; then 1 and 2 are both one away and the lower index
    # wins.
    assert farthest_point_sample(on_x_axis(0, 1, 2, 3, 10), 5).tolist() == [[0, 4, 3, 1, 2]]


def test_ties_go_to_the_lowest_index():
    # 3 and -3 are equally far from 0; then 1 and -1 are both one away from 0.
    assert farthest_point_sample(on_x_axis(0, 1, 3, -3, -1), 5).tolist() == [[0, 2, 3, 1, 4]]
    assert farthest_point_sample(on_x_axis(0, -1, -3, 3, 1), 5).tolist() == [[0, 2, 3, 1, 4]]


def test_points_near_the_origin_are_not_skipped():
    # pointnet2_ops would skip index 1, for 0.01^2 <= 1e-3, and pick index 2.
    assert farthest_point_sample(on_x_axis(1, 0.01, 0.9), 2).tolist() == [[0, 1]]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_equals_the_reference_with_ties(data, clouds, reference):
    points = data.draw(clouds())
    num_samples = data.draw(st.integers(1, points.shape[1]))
    expected = [reference.farthest_point_sample(cloud, num_samples) for cloud in points.double().tolist()]
    for sample in (farthest_point_sample, farthest_point_sample_loop):
        for dtype in (torch.float32, torch.float64):
            index = sample(points.to(dtype), num_samples)
            assert index.dtype == torch.int64
            assert index.tolist() == expected


@needs_quickfps
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_bucketed_back_end_takes_a_farthest_point_at_each_step(data, clouds, reference):
    points = data.draw(clouds(max_points=40))
    num_samples = data.draw(st.integers(1, points.shape[1]))
    index = fps.quickfps_sampler()(fps._unit_extent(points), num_samples)
    for cloud, picks in zip(points.double().tolist(), index.tolist(), strict=True):
        assert reference.is_farthest_point_sample(cloud, picks)


@needs_quickfps
@pytest.mark.parametrize(('num_points', 'num_samples'), [(64, 64), (1024, 64), (2048, 256), (4096, 512)])
def test_bucketed_back_end_equals_the_loop_without_ties(num_points, num_samples, always_bucket):
    # In float32 two distances of random points agree to the last bit now and then; these seeds hold no such
    # pair.
    points = torch.rand(3, num_points, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    expected = farthest_point_sample_loop(points, num_samples)
    assert torch.equal(farthest_point_sample(points, num_samples), expected)


@needs_quickfps
def test_bucketed_back_end_is_used_for_large_float32_clouds_only(monkeypatch):
    use_buckets(monkeypatch)

    def back_end(num_points, num_samples, dtype=torch.float32):
        return fps._backend(torch.empty(1, num_points, 3, dtype=dtype), num_samples)

    assert back_end(2048, 128) is farthest_point_sample_loop  # Point-MAE on ScanObjectNN
    assert back_end(8192, 1024) is fps.quickfps_sampler()
    assert back_end(8192, 1024, torch.float64) is farthest_point_sample_loop


def test_large_clouds_without_the_optional_back_end_use_the_loop(monkeypatch):
    use_buckets(monkeypatch)
    monkeypatch.setattr(fps, 'quickfps_sampler', lambda: None)
    assert fps._backend(torch.empty(1, 8192, 3), 1024) is farthest_point_sample_loop


@pytest.mark.parametrize('error', [ModuleNotFoundError('gone'), OSError('undefined symbol')])
def test_a_broken_back_end_warns_and_an_absent_one_does_not(monkeypatch, error):
    messages = []
    monkeypatch.setattr(
        backends, 'print_log', lambda message, logger, level: messages.append((message, level))
    )

    def fail(name):
        raise error

    monkeypatch.setattr(backends.importlib, 'import_module', fail)
    assert fps.quickfps_sampler.__wrapped__() is None
    if isinstance(error, ModuleNotFoundError):
        assert not messages
    else:
        [(message, level)] = messages
        assert 'torch_quickfps is installed but does not load (undefined symbol)' in message
        assert level == logging.WARNING


@pytest.mark.parametrize('installed', [False, True])
def test_mmcv_without_cuda_operations_is_not_used(monkeypatch, installed):
    module = SimpleNamespace(get_compiling_cuda_version=lambda: 'not available') if installed else None
    monkeypatch.setattr(fps, 'optional_module', lambda name: module)
    assert fps.mmcv_sampler.__wrapped__() is None


def test_mmcv_kernel_gets_contiguous_points_and_its_int32_becomes_int64(monkeypatch):
    seen = []

    def kernel(points, num_samples):
        seen.append(points.is_contiguous())
        return farthest_point_sample_loop(points, num_samples).int()

    module = SimpleNamespace(get_compiling_cuda_version=lambda: '12.1', furthest_point_sample=kernel)
    monkeypatch.setattr(fps, 'optional_module', lambda name: module)
    monkeypatch.setattr(torch.cuda, 'device', lambda device: torch.no_grad())
    points = torch.rand(2, 3, 16).mT
    index = fps.mmcv_sampler.__wrapped__()(points, 8)
    assert seen == [True]
    assert index.dtype == torch.int64
    assert torch.equal(index, farthest_point_sample_loop(points, 8))


@pytest.mark.parametrize('bucket', [False, pytest.param(True, marks=needs_quickfps)])
def test_each_sample_is_independent_of_its_batch(cloud_batch, bucket, monkeypatch):
    if bucket:
        use_buckets(monkeypatch, 0)
    together = farthest_point_sample(cloud_batch, 32)
    alone = [farthest_point_sample(cloud[None], 32) for cloud in cloud_batch]
    assert torch.equal(together, torch.cat(alone))


@pytest.mark.parametrize('bucket', [False, pytest.param(True, marks=needs_quickfps)])
@pytest.mark.parametrize('scale', [2.0**100, 2.0**20, 2.0**-40, 2.0**-100])
def test_scale_changes_no_pick(cloud_batch, scale, bucket, monkeypatch):
    if bucket:
        use_buckets(monkeypatch, 0)
    assert torch.equal(farthest_point_sample(cloud_batch * scale, 64), farthest_point_sample(cloud_batch, 64))


def test_extent_becomes_one_half_to_one_by_a_power_of_two(cloud_batch):
    scaled = fps._unit_extent(cloud_batch * 1e6)
    ratio = cloud_batch * 1e6 / scaled
    assert torch.equal(torch.frexp(ratio).mantissa, torch.full_like(ratio, 0.5))
    assert ((scaled.abs().amax((1, 2)) >= 0.5) & (scaled.abs().amax((1, 2)) < 1)).all()
    assert torch.equal(fps._unit_extent(torch.zeros(1, 4, 3)), torch.zeros(1, 4, 3))


def test_translation_changes_no_pick():
    points = torch.randint(-50, 50, (2, 40, 3), generator=torch.Generator().manual_seed(1)).float()
    assert torch.equal(
        farthest_point_sample(points + torch.tensor([1e4, -1e4, 3e4]), 40), farthest_point_sample(points, 40)
    )


def test_permutation_behind_the_first_point_permutes_the_picks(cloud_batch):
    shuffled = torch.randperm(63, generator=torch.Generator().manual_seed(2))
    order = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + shuffled])
    picks = farthest_point_sample(cloud_batch[:, order], 32)
    assert torch.equal(order[picks], farthest_point_sample(cloud_batch, 32))


def test_all_points_sampled_is_a_permutation(cloud_batch):
    assert torch.equal(farthest_point_sample(cloud_batch, 64).sort().values, torch.arange(64).expand(4, -1))


def test_exhausted_clouds_repeat_the_first_pick():
    assert farthest_point_sample(on_x_axis(5, 7, 7, 5, 7), 5).tolist() == [[0, 1, 0, 0, 0]]


@needs_quickfps
def test_exhausted_clouds_stay_in_range_in_buckets(always_bucket):
    index = farthest_point_sample(torch.ones(2, 100, 3), 100)
    assert index[:, 0].eq(0).all() and index.min() >= 0 and index.max() < 100


def test_float64_is_not_rounded():
    step = 1e-12
    points = on_x_axis(1, 1 + step, 1 + 3 * step, 1 + 2 * step, dtype=torch.float64)
    assert farthest_point_sample(points, 2).tolist() == [[0, 2]]
    assert farthest_point_sample(points.float(), 2).tolist() == [[0, 0]]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_upcast(cloud_batch, dtype):
    half = cloud_batch.to(dtype)
    assert torch.equal(farthest_point_sample(half, 32), farthest_point_sample(half.float(), 32))


def test_no_gradient_and_input_untouched(cloud_batch):
    points = cloud_batch.clone().requires_grad_()
    assert not farthest_point_sample(points, 8).requires_grad
    assert not farthest_point_sample_loop(points, 8).requires_grad
    assert torch.equal(points, cloud_batch)


def test_needs_no_value_on_the_host():
    # A meta tensor has no values: any read of one would raise.
    assert farthest_point_sample(torch.empty(2, 32, 3, device='meta'), 8).shape == (2, 8)


def test_too_many_samples_name_both_numbers_and_the_remedy():
    with pytest.raises(ValueError, match=r'num_points=8 < num_samples=9.*lower num_groups / num_points or'):
        farthest_point_sample(torch.rand(2, 8, 3), 9)
    with pytest.raises(ValueError, match='num_samples=0'):
        farthest_point_sample(torch.rand(2, 8, 3), 0)
    with pytest.raises(ValueError, match=r'points has shape \(8, 3\)'):
        farthest_point_sample(torch.rand(8, 3), 2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
class TestCuda:
    """The CUDA back ends against the slow reference and the CPU."""

    def test_loop_equals_the_cpu(self, cloud_batch):
        expected = farthest_point_sample_loop(cloud_batch, 64)
        assert torch.equal(farthest_point_sample_loop(cloud_batch.cuda(), 64).cpu(), expected)

    @pytest.mark.parametrize('scale', [1e-12, 1.0, 1e6])
    def test_chosen_back_end_takes_a_farthest_point_at_each_step(self, cloud_batch, reference, scale):
        points = cloud_batch * scale
        index = farthest_point_sample(points.cuda(), 64)
        assert index.is_cuda and index.dtype == torch.int64
        for cloud, picks in zip(points.double().tolist(), index.tolist(), strict=True):
            assert reference.is_farthest_point_sample(cloud, picks)

    def test_float64_equals_the_cpu(self, cloud_batch):
        points = cloud_batch.double()
        assert torch.equal(farthest_point_sample(points.cuda(), 64).cpu(), farthest_point_sample(points, 64))

    def test_does_not_synchronise(self, cloud_batch):
        points = cloud_batch.cuda()
        farthest_point_sample(points, 8)  # imports and allocations come first
        torch.cuda.set_sync_debug_mode('error')
        try:
            farthest_point_sample(points, 8)
            farthest_point_sample_loop(points, 8)
        finally:
            torch.cuda.set_sync_debug_mode('default')
