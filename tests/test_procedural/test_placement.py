"""Places that do not overlap."""

from __future__ import annotations

import numpy as np
import pytest

from point_peft.procedural.placement import COVERAGE, GAP, apart, place


def corners(rectangle: np.ndarray) -> np.ndarray:
    """Corners (4, 2) of a rectangle (5,), around it."""
    local = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) / 2 * rectangle[2:4]
    cosine, sine = np.cos(rectangle[4]), np.sin(rectangle[4])
    return local @ np.array([[cosine, sine], [-sine, cosine]]) + rectangle[:2]


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Least distance of two rectangles (5,): from corners to edges where they are disjoint, 0 where a point of a fine
    grid over one lies in the other."""
    steps = np.linspace(0, 1, 41)[:, None]
    least = np.inf
    for own, other in ((corners(first), corners(second)), (corners(second), corners(first))):
        grid = own[0] + (steps * (own[1] - own[0]))[:, None] + (steps * (own[3] - own[0]))[None]
        edges = np.roll(other, -1, axis=0) - other
        offset = grid.reshape(-1, 1, 2) - other
        if (edges[:, 0] * offset[..., 1] - edges[:, 1] * offset[..., 0] > 0).all(axis=1).any():
            return 0.0
        to_corner = own[:, None] - other
        along = np.clip((to_corner * edges).sum(axis=-1) / (edges**2).sum(axis=-1), 0, 1)
        least = min(least, np.linalg.norm(to_corner - along[..., None] * edges, axis=-1).min())
    return float(least)


@pytest.mark.parametrize(
    ('second', 'expected'),
    [
        ((3.1, 0.0, 2.0, 1.0, 0.0), True),
        ((1.9, 0.0, 2.0, 1.0, 0.0), False),
        ((0.0, 0.0, 0.1, 0.1, 0.3), False),  # one within the other
        ((0.0, 0.0, 0.2, 8.0, 0.0), False),  # a cross: no corner of one is in the other
        ((2.0, 1.7, 2.0, 1.0, np.pi / 4), True),
        ((1.4, 0.9, 2.0, 1.0, np.pi / 4), False),
    ],
)
def test_apart(second: tuple[float, ...], expected: bool) -> None:
    """Known pairs, in both orders."""
    first = np.array([0.0, 0.0, 4.0, 1.0, 0.0])
    assert apart(first, np.array(second)) == apart(np.array(second), first) == expected


def test_apart_like_sampling() -> None:
    """Random pairs, against points all over both rectangles, and all pairs at once."""
    rng = np.random.default_rng(0)
    pairs = np.concatenate(
        [rng.uniform(-1, 1, (60, 2, 2)), rng.uniform(0.2, 1.5, (60, 2, 2)), rng.uniform(-4, 4, (60, 2, 1))],
        axis=2,
    )
    answers = apart(pairs[:, 0], pairs[:, 1])
    assert 10 < answers.sum() < 50
    np.testing.assert_array_equal(answers, [distance(*pair) > 0 for pair in pairs])


def test_place() -> None:
    """Every rectangle keeps its size, its distance and within the room, whose floor is as large as promised."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        footprints = rng.uniform(0.2, 2.2, (rng.integers(1, 9), 2))
        rectangles, room = place(footprints, rng)
        np.testing.assert_array_equal(rectangles[:, 2:4], footprints)
        assert footprints.prod(axis=1).sum() / room.prod() < COVERAGE[1] + 1e-9
        for index, rectangle in enumerate(rectangles):
            assert (np.abs(corners(rectangle)) <= room / 2).all()
            for other in rectangles[index + 1 :]:
                assert distance(rectangle, other) >= GAP - 1e-9


def test_room_grows_until_everything_fits() -> None:
    """A corridor's length of shelf has its place, although its share of the floor would be a narrow room."""
    rectangles, room = place(np.array([[9.0, 0.1]]), np.random.default_rng(0))
    assert rectangles.shape == (1, 5) and room.max() > 6
