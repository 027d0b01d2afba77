"""Normalisation to the unit sphere."""

from __future__ import annotations

import numpy as np
import pytest

from point_peft.datasets.normalize import get_normalizer, unit_sphere


def test_by_hand() -> None:
    """Points 0 and (4, 0, 0) become -1 and +1 on the x axis."""
    points = np.array([[0, 0, 0], [4, 0, 0]], dtype=np.float32)
    assert unit_sphere(points).tolist() == [[-1, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize('scale', [1e-6, 1.0, 1e6])
@pytest.mark.parametrize('offset', [0.0, 100.0])
def test_stack(scale: float, offset: float) -> None:
    """Each cloud of a stack is centred and touches the unit sphere, as when it is alone."""
    points = (np.random.default_rng(0).standard_normal((3, 50, 3)) + offset) * scale
    result = unit_sphere(points)
    np.testing.assert_allclose(result.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(result, axis=2).max(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(result[1], unit_sphere(points[1]))


def test_coinciding_points_stay_finite() -> None:
    """A cloud without extent is moved to the origin."""
    assert (unit_sphere(np.full((5, 3), 7.0, dtype=np.float32)) == 0).all()


def test_unknown_name() -> None:
    """The known names are listed."""
    points = np.ones((2, 3))
    assert get_normalizer(None)(points) is points
    with pytest.raises(ValueError, match="normalize='cube' is unknown.*unit_sphere"):
        get_normalizer('cube')
