"""Random choice of the axis that points up."""

from __future__ import annotations

import torch

from point_peft.datasets.transforms import RandomUpAxis


def test_turns_some_samples_whole() -> None:
    """About the wanted share is turned; a sample is turned whole, and further channels stay."""
    points = torch.randn(400, 5, 4)
    torch.manual_seed(0)
    out = RandomUpAxis('z', 'y', probability=0.3)(points)
    turned = torch.cat([points[..., [1, 2, 0]], points[..., 3:]], dim=-1)
    is_turned = (out == turned).all(dim=(1, 2))
    assert (is_turned | (out == points).all(dim=(1, 2))).all()
    assert 0.2 < is_turned.float().mean() < 0.4


def test_up_goes_up() -> None:
    """What pointed along the source axis points along the target axis, and no cloud is mirrored."""
    up = torch.tensor([[[0.0, 0.0, 1.0]]])
    assert RandomUpAxis('z', 'y', probability=1.0)(up).tolist() == [[[0.0, 1.0, 0.0]]]
    basis = RandomUpAxis('z', 'x', probability=1.0)(torch.eye(3)[None])[0]
    assert torch.linalg.det(basis) > 0
