"""Boxes and the axis that points up."""

from __future__ import annotations

import numpy as np
import pytest

from point_peft.visualization.space import Up, box_edges, upright


def test_upright() -> None:
    """By hand: z becomes y; the rotation keeps distances and handedness."""
    np.testing.assert_array_equal(upright(np.array([1.0, 2, 3]), 'z'), [1, 3, -2])
    turn = upright(np.eye(3), 'z')
    assert np.linalg.det(turn) == pytest.approx(1)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3))
    np.testing.assert_array_equal(upright(turn, 'y'), turn)


def test_edges_of_a_box() -> None:
    """Twelve edges, four along every axis, of the length of that axis, around the center."""
    (edges,) = box_edges(np.array([[10.0, 20, 30, 1, 2, 3, 0]]), 'z')
    lengths = np.abs(edges[:, 0] - edges[:, 1])
    assert sorted(map(tuple, lengths.tolist())) == [(0, 0, 3)] * 4 + [(0, 2, 0)] * 4 + [(1, 0, 0)] * 4
    np.testing.assert_allclose(edges.reshape(-1, 3).min(axis=0), [9.5, 19, 28.5])
    np.testing.assert_allclose(edges.reshape(-1, 3).max(axis=0), [10.5, 21, 31.5])


@pytest.mark.parametrize(('up', 'longest'), [('z', [0, 1, 0]), ('y', [0, 0, -1])])
def test_rotation_is_counterclockwise_from_above(up: Up, longest: list[float]) -> None:
    """By hand: a quarter turn and a little more brings +x to a little behind what is left of it, seen from above."""
    angle = np.pi / 2
    size = [4.0, 0.1, 0.1]
    (edges,) = box_edges(np.array([[0, 0, 0, *size, angle]]), up)
    along = edges[:, 1] - edges[:, 0]
    lengths = np.linalg.norm(along, axis=1)
    np.testing.assert_allclose(np.abs(along[lengths > 1] / 4), [np.abs(longest)] * 4, atol=1e-12)
    # A corner in +x, told from its mirror image by a smaller angle.
    (edges,) = box_edges(np.array([[0, 0, 0, *size, 0.1]]), up)
    ends = edges.reshape(-1, 3)
    far = ends[ends[:, 0] > 1.5].mean(axis=0)
    np.testing.assert_allclose(
        far, 2 * (np.cos(0.1) * np.array([1, 0, 0]) + np.sin(0.1) * np.array(longest)), atol=1e-6
    )


def test_bad_boxes() -> None:
    """Six numbers are no box; none is fine."""
    assert box_edges(np.zeros((0, 7)), 'z').shape == (0, 12, 2, 3)
    with pytest.raises(ValueError, match=r'boxes have shape \(3, 6\)'):
        box_edges(np.zeros((3, 6)), 'z')
