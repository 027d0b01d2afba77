"""Fixtures of the tests of point operations: the slow reference and a generator of awkward clouds."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

KINDS = ('random', 'lattice', 'duplicates', 'collinear', 'identical', 'origin')


@pytest.fixture(scope='session')
def reference() -> ModuleType:
    """The slow operations of tests/reference/ops.py."""
    path = Path(__file__).resolve().parents[1] / 'reference' / 'ops.py'
    spec = importlib.util.spec_from_file_location('reference_ops', path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='session')
def clouds() -> Callable[..., st.SearchStrategy[Tensor]]:
    """Strategy of ``(B, N, 3)`` float32 clouds whose squared distances are exact: small integers times
    2**exponent.

    The exponents reach about 1e6 and 1e-12. Because nothing is rounded, results can be compared bit for bit
    with the reference, ties included.
    """

    @st.composite
    def strategy(draw: st.DrawFn, batch: int = 2, min_points: int = 1, max_points: int = 24) -> Tensor:
        kind = draw(st.sampled_from(KINDS))
        num_points = draw(st.integers(min_points, max_points))
        exponent = draw(st.sampled_from([-40, -3, 0, 20]))
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        integers = rng.integers(-100, 100, size=(batch, num_points, 3))
        if kind == 'lattice':
            integers = rng.integers(-1, 2, size=integers.shape)
        elif kind == 'duplicates':
            integers = integers[:, rng.integers(0, max(1, num_points // 4), size=num_points)]
        elif kind == 'collinear':
            integers = integers[:, :, :1] * np.array([1, -2, 0])
        elif kind == 'identical':
            integers = np.broadcast_to(integers[:, :1], integers.shape)
        elif kind == 'origin':
            integers = np.zeros_like(integers)
        return torch.from_numpy(integers.astype(np.float32) * np.float32(2.0**exponent))

    return strategy


@pytest.fixture
def cloud_batch() -> Tensor:
    """``(4, 64, 3)`` random float32 clouds without ties."""
    return torch.randn(4, 64, 3, generator=torch.Generator().manual_seed(0))
