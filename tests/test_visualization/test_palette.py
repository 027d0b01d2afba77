"""Colors of labels, measured as eyes with and without all cones see them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from point_peft.visualization.palette import FEW, MANY, RIGHT, UNLABELLED, WRONG, label_colors, shades

DISTANCE_FEW, DISTANCE_MANY = 24, 16
"""What the module promises."""

EYES = {
    'all cones': np.eye(3),
    'no long-wave cones': [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    'no medium-wave cones': [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    'no short-wave cones': [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""What of linear RGB is seen (Machado, Oliveira and Fernandes, 2009, severity 1)."""

TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def to_lab(color: str, eye: str) -> np.ndarray:
    """CIELAB of a color as an eye sees it."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(np.asarray(EYES[eye]) @ linear, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """CIEDE2000 of two colors in CIELAB (Sharma, Wu and Dalal, 2005)."""
    (l1, a1, b1), (l2, a2, b2) = first, second
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    grey = 1.5 - 0.5 * np.sqrt(mean**7 / (mean**7 + 25**7))
    c1, c2 = np.hypot(grey * a1, b1), np.hypot(grey * a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, grey * a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180) % 360 - 180
    hue = (h1 + turn / 2) % 360
    c, light = (c1 + c2) / 2, (l1 + l2) / 2 - 50
    t = 1 - 0.17 * np.cos(np.radians(hue - 30)) + 0.24 * np.cos(np.radians(2 * hue))
    t += 0.32 * np.cos(np.radians(3 * hue + 6)) - 0.2 * np.cos(np.radians(4 * hue - 63))
    by_light = (l2 - l1) / (1 + 0.015 * light**2 / np.sqrt(20 + light**2))
    by_chroma = (c2 - c1) / (1 + 0.045 * c)
    by_hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * c * t)
    rotation = (
        -2 * np.sqrt(c**7 / (c**7 + 25**7)) * np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    )
    return float(np.sqrt(by_light**2 + by_chroma**2 + by_hue**2 + rotation * by_chroma * by_hue))


def test_distance() -> None:
    """The first and the seventh pair of the table that Sharma, Wu and Dalal published."""
    first = distance(np.array([50, 2.6772, -79.7751]), np.array([50, 0, -82.7485]))
    assert first == pytest.approx(2.0425, abs=1e-4)
    seventh = distance(np.array([50, 0, 0]), np.array([50, -1, 2]))
    assert seventh == pytest.approx(2.3669, abs=1e-4)


@pytest.mark.parametrize('eye', EYES)
def test_few_colors_differ_for_all_eyes(eye: str) -> None:
    """No two of the colors that parts of an object have look alike."""
    pairs = combinations([to_lab(color, eye) for color in FEW], 2)
    assert min(distance(*pair) for pair in pairs) >= DISTANCE_FEW


@pytest.mark.parametrize('eye', EYES)
def test_right_and_wrong_differ_for_all_eyes(eye: str) -> None:
    """The colors of titles differ from one another and from the white ground."""
    colors = [to_lab(color, eye) for color in (RIGHT, WRONG, 'white')]
    assert min(distance(*pair) for pair in combinations(colors, 2)) >= DISTANCE_FEW


def test_many_colors_differ() -> None:
    """The colors of scenes differ, among one another, from points without a label, and from the white ground."""
    colors = [to_lab(color, 'all cones') for color in MANY]
    assert min(distance(*pair) for pair in combinations(colors, 2)) >= DISTANCE_MANY
    for other in (UNLABELLED, 'white'):
        assert min(distance(color, to_lab(other, 'all cones')) for color in colors) >= DISTANCE_MANY


@given(st.integers(0, 60), st.integers(1, 6))
def test_parts_of_an_object(first: int, count: int) -> None:
    """Up to six labels in a row differ, and a label has the same color in any such company."""
    colors = label_colors(range(first, first + count))
    assert len(set(colors.values())) == count
    assert all(colors[label] == label_colors([label])[label] for label in colors)


@given(st.sets(st.integers(0, 500), min_size=1, max_size=len(MANY)))
def test_labels_never_share_a_color(labels: set[int]) -> None:
    """As many labels as there are colors all differ."""
    assert len(set(label_colors(labels).values())) == len(labels)


def test_no_label() -> None:
    """Negative labels are grey, also among others; more labels than colors repeat."""
    assert label_colors([-1, 0]) == {-1: UNLABELLED, 0: FEW[0]}
    assert len(set(label_colors(range(30)).values())) == len(MANY)


def test_shades() -> None:
    """By hand: every point has the color of its label."""
    found = shades(np.array([[3], [1], [9]])[:, 0], {1: '#000001', 3: '#000003'})
    assert found.tolist() == ['#000003', '#000001', UNLABELLED]
