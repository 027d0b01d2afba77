"""Random rotation."""

from __future__ import annotations

import math

import pytest
import torch

from point_peft.datasets.transforms import RandomRotate
from point_peft.datasets.transforms.rotate import rotation_matrix


@pytest.mark.parametrize(
    ('axis', 'start', 'end'),
    [
        ('x', [0, 1, 0], [0, 0, 1]),
        ('y', [0, 0, 1], [1, 0, 0]),
        ('z', [1, 0, 0], [0, 1, 0]),
    ],
)
def test_quarter_turn(axis: str, start: list[float], end: list[float]) -> None:
    """A quarter turn about x takes y to z, about y takes z to x, about z takes x to y."""
    matrix = rotation_matrix(torch.tensor([math.pi / 2]), axis)
    torch.testing.assert_close(
        matrix[0] @ torch.tensor(start).float(), torch.tensor(end).float(), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize('axis', ['x', 'y', 'z'])
def test_rotations_are_rigid_and_independent(axis: str) -> None:
    """Distances and the axis's coordinate stay; every sample has its own angle."""
    points = torch.randn(1, 20, 3).expand(64, 20, 3)
    turned = RandomRotate(axis=axis)(points)
    torch.testing.assert_close(torch.cdist(turned, turned), torch.cdist(points, points), atol=1e-3, rtol=0)
    index = 'xyz'.index(axis)
    torch.testing.assert_close(turned[..., index], points[..., index])
    torch.testing.assert_close(torch.linalg.det(rotation_matrix(torch.randn(8), axis)), torch.ones(8))
    assert len(turned[:, 0, (index + 1) % 3].unique()) == 64


@pytest.mark.parametrize('limit', [math.pi, 0.3])
def test_range_of_angles(limit: float) -> None:
    """Angles fill (-limit, limit)."""
    turned = RandomRotate(axis='z', angle=limit)(torch.tensor([[[1.0, 0, 0]]]).expand(2000, 1, 3))
    angle = torch.atan2(turned[:, 0, 1], turned[:, 0, 0])
    assert -limit <= angle.min() < -0.97 * limit and 0.97 * limit < angle.max() <= limit
    assert angle.mean().abs() < 0.1 * limit


def test_unknown_axis() -> None:
    """The known axes are listed."""
    assert repr(RandomRotate()) == "RandomRotate(axis='y', angle=3.142)"
    with pytest.raises(ValueError, match="axis='up' is unknown; choose one of x, y, z"):
        RandomRotate(axis='up')
