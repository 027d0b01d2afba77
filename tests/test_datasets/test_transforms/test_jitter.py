"""Random displacement of every point."""

from __future__ import annotations

import torch

from point_peft.datasets.transforms import RandomJitter


def test_statistics() -> None:
    """Independent noise of the given deviation, for every point and axis."""
    noise = RandomJitter(sigma=0.02, clip=1.0)(torch.zeros(4, 5000, 3))
    assert abs(noise.std() - 0.02) < 0.001 and noise.mean().abs() < 0.001
    assert len(noise.unique()) > 50_000


def test_clip() -> None:
    """No displacement is larger than the limit, and some reach it."""
    noise = RandomJitter(sigma=0.02, clip=0.03)(torch.zeros(4, 5000, 3))
    torch.testing.assert_close(noise.abs().max(), torch.tensor(0.03))


def test_repr() -> None:
    """Name and settings."""
    assert repr(RandomJitter()) == 'RandomJitter(sigma=0.01, clip=0.05)'
