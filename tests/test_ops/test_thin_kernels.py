"""Thin products in C against general ones."""

from __future__ import annotations

import pytest
import torch
from random_tensors import random
from torch import Tensor

from point_peft.ops import c_library, thin_kernels

pytestmark = pytest.mark.skipif(
    c_library.compiler() is None, reason='needs Linux, an x86 processor with AVX2 and a C compiler'
)


def assert_near(found: Tensor, expected: Tensor) -> None:
    assert found.is_contiguous() and found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize('rank', [1, 5, 8])
@pytest.mark.parametrize(('rows', 'channels'), [(1, 16), (7, 32), (8, 48), (64 * 70 + 3, 16), (1032, 384)])
def test_products(rows: int, channels: int, rank: int) -> None:
    """All products, at sizes that fill no group of rows, and more parts of rows than are added up by themselves."""
    assert thin_kernels.can_multiply(channels, rank)
    many, weight, thin = random(rows, channels), random(rank, channels, seed=1), random(rows, rank, seed=2)
    wide, heavy, narrow = many.double(), weight.double(), thin.double()
    assert_near(thin_kernels.project(many, weight), wide @ heavy.T)
    assert_near(thin_kernels.sum_products(many, thin), narrow.T @ wide)
    for found, expected in zip(
        thin_kernels.project_and_sum(many, weight, thin), (wide @ heavy.T, narrow.T @ wide), strict=True
    ):
        assert_near(found, expected)
    assert_near(thin_kernels.expand(None, thin, weight), narrow @ heavy)
    assert_near(thin_kernels.expand(many, thin, weight), wide + narrow @ heavy)


@pytest.mark.parametrize(('channels', 'rank'), [(20, 8), (16, 9), (0, 8), (16, 0)])
def test_what_is_left_to_torch(channels: int, rank: int) -> None:
    """Channels that fill no vector, and matrices that are not thin or empty."""
    assert not thin_kernels.can_multiply(channels, rank)


def test_inputs_stay_as_they_are() -> None:
    """Nothing is added in place: another hook may hold the same output."""
    many, thin, weight = random(9, 16), random(9, 8, seed=1), random(8, 16, seed=2)
    before = many.clone()
    thin_kernels.expand(many, thin, weight)
    assert torch.equal(many, before)
