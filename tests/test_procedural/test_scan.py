"""The scan corruption."""

from __future__ import annotations

import numpy as np
import pytest

from point_peft.procedural.scan import BACKGROUND, ScanSettings, scan_object, visible


def test_hidden_by_hand() -> None:
    """Seen from +z: of two points on one line of sight the nearer hides the other; one beside is seen."""
    points = np.array([[0, 0, 1.0], [0, 0, 0], [0.5, 0, 0], [0, 0, 0.95]])
    assert visible(points, np.array([0, 0, 1.0]), cell=0.1, margin=0.1).tolist() == [True, False, True, True]


@pytest.mark.parametrize('direction', [(1, 0, 0), (0.6, 0.8, 0), (0, 0.6, -0.8)])
def test_sphere_shows_its_near_side(direction: tuple[float, float, float]) -> None:
    """Of a sphere, the near half is seen; of the far half, hardly a point, where a pixel is empty."""
    points = np.random.default_rng(0).standard_normal((4000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    toward = points @ np.array(direction)
    seen = visible(points, np.array(direction), cell=0.1, margin=0.15)
    assert seen[toward > 0.4].mean() > 0.99
    assert seen[toward < -0.4].mean() < 0.02


@pytest.fixture
def ball() -> np.ndarray:
    """Dense unit ball surface."""
    points = np.random.default_rng(1).standard_normal((3000, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_scan(ball: np.ndarray) -> None:
    """As many points as asked for, with room points of part -1, and about one side of the object."""
    points, parts = scan_object(
        ball, np.full(3000, 7), np.random.default_rng(0), num_points=512, settings=ScanSettings()
    )
    assert points.shape == (512, 3) and np.isfinite(points).all()
    assert set(parts.tolist()) == {7, BACKGROUND}
    on_ball = points[parts == 7]
    np.testing.assert_allclose(np.linalg.norm(on_ball, axis=1), 1, atol=0.15)
    assert np.linalg.norm(on_ball.mean(axis=0)) > 0.25  # a whole sphere has its mean at 0


def test_strengths(ball: np.ndarray) -> None:
    """Without a room there is none; without tilt the floor is level; the noise has its deviation."""
    bare = ScanSettings(background=(0.0, 0.0), jitter=0.0)
    points, parts = scan_object(
        ball, np.zeros(3000, dtype=int), np.random.default_rng(0), num_points=512, settings=bare
    )
    assert (parts == 0).all()
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1)
    noisy = ScanSettings(background=(0.0, 0.0), jitter=0.05)
    points, _ = scan_object(
        ball, np.zeros(3000, dtype=int), np.random.default_rng(0), num_points=512, settings=noisy
    )
    assert np.std(np.linalg.norm(points, axis=1)) == pytest.approx(0.05, rel=0.2)


def test_few_points_are_repeated() -> None:
    """When the camera sees fewer points than wanted, they repeat."""
    points, _ = scan_object(
        np.eye(3),
        np.zeros(3, dtype=int),
        np.random.default_rng(0),
        num_points=64,
        settings=ScanSettings(jitter=0.0),
    )
    assert points.shape == (64, 3) and len(np.unique(points, axis=0)) <= 4
