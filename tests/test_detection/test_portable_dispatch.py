"""Which code runs on which device; on a GPU, where there is one, the operations against mmcv's kernels."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmdet3d')
sys.path.insert(0, str(Path(__file__).resolve().parent))

from mmcv import ops  # noqa: E402
from mmdet3d.structures.bbox_3d import base_box3d  # noqa: E402
from op_cases import calls, cloud, to  # noqa: E402

from point_peft.detection import portable_ops, use_portable_ops  # noqa: E402

SELECTIONS = slice(6, 9)
"""Those of the calls that have a gradient."""


class Kernels:
    """Stands for mmcv's extension and notes which of its kernels are asked for."""

    def __init__(self):
        self.asked = []

    def __getattr__(self, name):
        return lambda *arguments, **options: self.asked.append(name)


@pytest.mark.parametrize('case', range(11))
def test_other_devices_reach_the_kernels_of_mmcv(case, monkeypatch):
    module, kernel, operation, arguments = calls()[case]
    kernels = Kernels()
    monkeypatch.setattr(importlib.import_module(f'mmcv.ops.{module}'), 'ext_module', kernels)
    operation(*arguments)
    assert not [name for name in kernels.asked if 'cpu' not in name]
    kernels.asked.clear()
    monkeypatch.setattr(torch.cuda, 'current_device', lambda: torch.empty(0, device='meta').get_device())
    for name, dtype in (('IntTensor', torch.int32), ('FloatTensor', torch.float32)):
        make = lambda *size, dtype=dtype: torch.empty(size, dtype=dtype, device='meta')  # noqa: E731
        monkeypatch.setattr(torch.cuda, name, make)
    operation(*to(arguments, 'meta'))
    assert kernels.asked == [kernel]


def test_gradients_on_other_devices_reach_the_kernels_of_mmcv(monkeypatch):
    for module, kernel, operation, arguments in calls()[SELECTIONS]:
        kernels = Kernels()
        monkeypatch.setattr(importlib.import_module(f'mmcv.ops.{module}'), 'ext_module', kernels)
        features, *others = to(arguments, 'meta')
        operation(features.requires_grad_(), *others).sum().backward()
        assert kernels.asked == [kernel, kernel.replace('forward', 'backward')]


def test_a_second_call_changes_nothing():
    def state():
        methods = [(operation.forward, operation.backward) for operation, *_ in portable_ops.OPERATIONS]
        names = [function.__name__ for function in portable_ops.FUNCTIONS]
        return methods, [getattr(module, name) for module in portable_ops.IMPORTERS for name in names]

    before = state()
    use_portable_ops()
    assert state() == before
    assert base_box3d.points_in_boxes_all.__wrapped__ is ops.points_in_boxes_all.__wrapped__
    wrapped = [forward.__wrapped__ for forward, _ in before[0]] + [f.__wrapped__ for f in before[1]]
    assert all(f.__module__.startswith('mmcv.ops') and not hasattr(f, '__wrapped__') for f in wrapped)


HAS_KERNELS = torch.cuda.is_available() and ops.get_compiling_cuda_version() != 'not available'


@pytest.mark.skipif(not HAS_KERNELS, reason='needs a GPU and mmcv compiled for it')
class TestKernels:
    @pytest.mark.parametrize('case', range(11))
    def test_results(self, case):
        *_, operation, arguments = calls()[case]
        results, expected = operation(*arguments), operation(*to(arguments, 'cuda'))
        pairs = zip(results, expected) if isinstance(results, tuple) else [(results, expected)]
        for result, kernel in pairs:
            assert kernel.is_cuda and result.stride() == kernel.stride()
            torch.testing.assert_close(result, kernel.cpu())

    def test_gradients(self):
        for *_, operation, (features, *others) in calls()[SELECTIONS]:
            grads = []
            for device in ('cpu', 'cuda'):
                leaf = features.to(device).requires_grad_()
                operation(leaf, *to(others, device)).square().sum().backward()
                grads.append(leaf.grad.cpu())
            torch.testing.assert_close(*grads)

    def test_corner_cases(self):
        few = cloud('random', 2)
        many = cloud('random', 20, seed=1)
        for operation, arguments in (
            (ops.furthest_point_sample, (few, 5)),
            (ops.ball_query, (0.0, 1e-3, 4, few + 100, many)),
            (ops.three_nn, (many, few)),
            (ops.three_nn, (cloud('lattice', 20), cloud('lattice', 30, seed=1))),
            (ops.knn, (5, few, many)),
        ):
            results, expected = operation(*arguments), operation(*to(arguments, 'cuda'))
            for result, kernel in zip(results, expected):
                assert torch.equal(result, kernel.cpu())
