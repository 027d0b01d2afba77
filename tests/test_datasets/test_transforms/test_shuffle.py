"""Random order of the points."""

from __future__ import annotations

import torch

from point_peft.datasets.transforms import ShufflePoints


def test_permutation() -> None:
    """Every sample keeps its points, channels together, in an order of its own."""
    points = torch.arange(50.0).view(1, 50, 1).repeat(8, 1, 4)
    shuffled = ShufflePoints()(points)
    assert (shuffled == shuffled[..., :1]).all()
    torch.testing.assert_close(shuffled.sort(dim=1).values, points)
    assert len({tuple(sample.tolist()) for sample in shuffled[..., 0]}) == 8


def test_first_point_is_uniform() -> None:
    """Each of four points comes first a quarter of the time."""
    first = ShufflePoints()(torch.arange(4.0).view(1, 4, 1).repeat(4000, 1, 3))[:, 0, 0]
    assert (torch.bincount(first.long()) - 1000).abs().max() < 150
