"""What every augmentation promises."""

from __future__ import annotations

import pytest
import torch

from point_peft.datasets import transforms
from point_peft.registry import TRANSFORMS

NAMES = list(transforms.__all__)


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_contract(name: str, dtype: torch.dtype) -> None:
    """Built by name; repeatable by the torch seed; shape, dtype and the input itself stay as they are."""
    augment = TRANSFORMS.build(dict(type=name))
    points = torch.randn(3, 7, 3, dtype=dtype)
    before = points.clone()
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        results.append(augment(points))
    assert torch.equal(*results)
    assert results[0].shape == points.shape and results[0].dtype == dtype
    assert torch.equal(points, before)
    assert not torch.equal(results[0], points)
    assert not torch.equal(augment(points), results[0])


@pytest.mark.parametrize('name', [name for name in NAMES if name != 'ShufflePoints'])
def test_only_coordinates_change(name: str) -> None:
    """Channels after the third are untouched, and do not influence the first three."""
    augment = TRANSFORMS.build(dict(type=name))
    points = torch.randn(3, 7, 5)
    torch.manual_seed(0)
    result = augment(points)
    torch.manual_seed(0)
    assert torch.equal(result[..., :3], augment(points[..., :3]))
    assert torch.equal(result[..., 3:], points[..., 3:])
