"""Surfaces: points lie on them, spread by area."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from point_peft.procedural.primitives import (
    box,
    ellipsoid,
    prism,
    revolve,
    rotation_about,
    rotation_from_up,
    torus,
    tube,
)

COUNT = 20_000


def draw(surface) -> np.ndarray:
    """Points (COUNT, 3) of a fixed seed."""
    points = surface.sample(np.random.default_rng(0), COUNT)
    assert points.shape == (COUNT, 3)
    return points


def test_box() -> None:
    """A 1 x 2 x 3 box: area 22, each point on a face, 2/22 of them on the bottom (1 x 3 is 3/22)."""
    surface = box((1, 2, 3), (10, 0, 0))
    assert surface.area == pytest.approx(22)
    points = draw(surface) - (10, 0, 0)
    relative = np.abs(points) / (0.5, 1, 1.5)
    np.testing.assert_allclose(relative.max(axis=1), 1)
    assert (points[:, 1] == -1).mean() == pytest.approx(3 / 22, abs=0.01)
    assert (points[:, 0] == 0.5).mean() == pytest.approx(6 / 22, abs=0.01)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=0.02)


def test_cylinder() -> None:
    """Radius 1 and height 2: the mantle has 4 pi of 6 pi, each lid pi."""
    surface = revolve([(0, 0), (1, 0), (1, 2), (0, 2)])
    assert surface.area == pytest.approx(6 * np.pi)
    points = draw(surface)
    radius = np.hypot(points[:, 0], points[:, 2])
    on_lid = (points[:, 1] == 0) | (points[:, 1] == 2)
    np.testing.assert_allclose(radius[~on_lid], 1)
    assert on_lid.mean() == pytest.approx(1 / 3, abs=0.01)
    assert points[~on_lid, 1].mean() == pytest.approx(1, abs=0.02)
    assert (radius[on_lid] ** 2).mean() == pytest.approx(0.5, abs=0.01)  # uniform on a disc


@pytest.mark.parametrize(('bottom', 'top'), [(1.0, 0.0), (0.0, 1.0), (1.0, 0.5), (0.3, 0.3)])
def test_frustum_is_uniform(bottom: float, top: float) -> None:
    """The share of points below half the height is the share of the mantle there."""
    points = draw(revolve([(bottom, 0), (top, 1)]))
    middle = (bottom + top) / 2
    assert (points[:, 1] < 0.5).mean() == pytest.approx((bottom + middle) / 2 / (bottom + top), abs=0.01)
    np.testing.assert_allclose(
        np.hypot(points[:, 0], points[:, 2]), bottom + (top - bottom) * points[:, 1], atol=1e-9
    )


def test_tube() -> None:
    """A tube along the diagonal: its points are at most its radius from the segment."""
    start, end = np.array([1.0, 0, 0]), np.array([1.0, 3, 4])
    points = draw(tube(start, end, 0.2))
    along = (points - start) @ (end - start) / 5
    assert along.min() == pytest.approx(0, abs=1e-9) and along.max() == pytest.approx(5, abs=1e-9)
    off = np.linalg.norm(points - start - along[:, None] * (end - start) / 5, axis=1)
    assert off.max() == pytest.approx(0.2)


def test_ellipsoid() -> None:
    """Points satisfy the equation; a sphere's area is exact."""
    points = draw(ellipsoid((1, 2, 3), (5, 5, 5))) - 5
    np.testing.assert_allclose(((points / (1, 2, 3)) ** 2).sum(axis=1), 1)
    assert ellipsoid((2, 2, 2), (0, 0, 0)).area == pytest.approx(16 * np.pi)


def test_torus_arc() -> None:
    """A quarter ring: the tube's distance from the ring, and the angles covered."""
    points = draw(torus(1.0, 0.1, arc=np.pi / 2, start=0.0))
    ring = np.hypot(points[:, 0], points[:, 1]) - 1
    np.testing.assert_allclose(np.hypot(ring, points[:, 2]), 0.1)
    assert points[:, :2].min() >= 0
    assert torus(1.0, 0.1).area == pytest.approx(4 * np.pi**2 * 0.1)


def test_prism() -> None:
    """A square plate 2 x 2 x 1 is a box of area 16, half of it the two large faces."""
    square = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    surface = prism(square, 1.0)
    assert surface.area == pytest.approx(16)
    points = draw(surface)
    np.testing.assert_allclose((np.abs(points) / (1, 1, 0.5)).max(axis=1), 1)
    on_face = np.abs(np.abs(points[:, 2]) - 0.5) < 1e-12
    assert on_face.mean() == pytest.approx(0.5, abs=0.01)
    assert (np.abs(points[on_face, 0]) < 0.5).mean() == pytest.approx(0.5, abs=0.02)


@settings(max_examples=30)
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3).filter(lambda v: np.linalg.norm(v) > 1e-3))
def test_rotation_from_up(direction: list[float]) -> None:
    """A proper rotation that takes +y to the direction."""
    unit = np.array(direction) / np.linalg.norm(direction)
    matrix = rotation_from_up(unit)
    np.testing.assert_allclose(matrix @ (0, 1, 0), unit, atol=1e-9)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_moved_by_hand() -> None:
    """A quarter turn about y takes z to x, then the offset applies."""
    point = box((0.01, 0.01, 0.01), (0, 0, 1)).moved(rotation_about(1, np.pi / 2), (0, 5, 0))
    np.testing.assert_allclose(draw(point).mean(axis=0), (1, 5, 0), atol=0.01)
