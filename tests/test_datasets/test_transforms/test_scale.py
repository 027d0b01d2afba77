"""Random scaling and translation."""

from __future__ import annotations

import pytest
import torch

from point_peft.datasets.transforms import RandomScale, RandomScaleTranslate
from point_peft.registry import TRANSFORMS


def test_by_hand() -> None:
    """A range of one value scales by it; an offset applies after the scaling."""
    points = torch.tensor([[[1.0, 2, 3], [0, 0, 0]]])
    assert RandomScale(scale=(2, 2))(points).tolist() == [[[2, 4, 6], [0, 0, 0]]]
    moved = RandomScaleTranslate(scale=(2, 2), translate=0.5)(points)
    torch.testing.assert_close(moved[0, 0] - moved[0, 1], torch.tensor([2.0, 4, 6]))
    assert moved[0, 1].abs().max() <= 0.5 and moved[0, 1].abs().min() > 0


@pytest.mark.parametrize('augment', [RandomScale((0.5, 2.0)), RandomScaleTranslate((0.5, 2.0), 0.0)])
def test_factors(augment: RandomScale | RandomScaleTranslate) -> None:
    """Every sample and axis has one factor of its own, and the factors fill their range."""
    factors = augment(torch.ones(400, 5, 3))
    assert (factors == factors[:, :1]).all()
    assert len(factors[:, 0].unique()) > 1100
    assert 0.5 <= factors.min() < 0.52 and 1.98 < factors.max() <= 2.0
    assert abs(factors.mean() - 1.25) < 0.05


def test_offsets() -> None:
    """Every sample and axis has one offset of its own, and the offsets fill their range."""
    offsets = RandomScaleTranslate((1, 1), 0.2)(torch.zeros(400, 5, 3))
    assert (offsets == offsets[:, :1]).all()
    assert len(offsets[:, 0].unique()) > 1100
    assert -0.2 <= offsets.min() < -0.19 and 0.19 < offsets.max() <= 0.2


def test_published_defaults() -> None:
    """The released ranges."""
    assert repr(RandomScale()) == 'RandomScale(scale=(0.9, 1.1))'
    assert repr(RandomScaleTranslate()) == f'RandomScaleTranslate(scale=({2 / 3}, 1.5), translate=0.2)'


@pytest.mark.parametrize('kind', ['RandomScale', 'RandomScaleTranslate'])
def test_wrong_range(kind: str) -> None:
    """A range upside down is refused when the config is built."""
    with pytest.raises(ValueError, match='is not a range'):
        TRANSFORMS.build(dict(type=kind, scale=[1.1, 0.9]))
