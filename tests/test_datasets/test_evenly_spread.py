"""Objects whose points are spread evenly."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from point_peft.datasets import EvenlySpread

SHAPES = dict(type='ProceduralVariety', num_samples=4, num_points=256)


def build(**settings: Any) -> EvenlySpread:
    """128 of 256 points of each of four objects."""
    return EvenlySpread(SHAPES, **{'num_points': 128, **settings})


def unevenness(points: Tensor) -> float:
    """Spread of the distance to the nearest point, over its mean."""
    distance = torch.cdist(points, points).fill_diagonal_(torch.inf).amin(dim=1)
    return float(distance.std() / distance.mean())


def test_even_points_are_even() -> None:
    """Distances to the nearest point vary less; on two sides they do by side alone; the share decides which."""
    torch.manual_seed(0)
    even, uneven = (
        [unevenness(item['inputs']['points']) for item in build(share=share, two_sided=0.0)]
        for share in (1.0, 0.0)
    )
    two_sided = [unevenness(item['inputs']['points']) for item in build(share=1.0, two_sided=1.0)]
    assert max(even) < min(uneven) and max(even) < min(two_sided)
    some = [unevenness(build(share=0.5, two_sided=0.0)[0]['inputs']['points']) for _ in range(24)]
    assert 4 <= sum(value < 0.35 for value in some) <= 20


def test_parts_stay_with_their_points() -> None:
    """Each point has the part that it had, and comes once; the seed decides."""
    torch.manual_seed(1)
    whole = build().dataset[2]
    torch.manual_seed(1)
    item = build(share=1.0, two_sided=1.0)[2]
    parts = {
        tuple(point.tolist()): int(part)
        for point, part in zip(whole['inputs']['points'], whole['data_samples'].gt_part)
    }
    chosen = [tuple(point.tolist()) for point in item['inputs']['points']]
    assert len(set(chosen)) == 128
    assert [parts[point] for point in chosen] == item['data_samples'].gt_part.tolist()


def test_refuses() -> None:
    """Shares outside [0, 1], and objects with too few points."""
    with pytest.raises(ValueError, match='share=2 is outside'):
        build(share=2)
    with pytest.raises(
        ValueError, match='object 0 has 256 points, but num_points=500 of EvenlySpread; raise the'
    ):
        build(num_points=500)[0]
