"""Pictures of clouds."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.image import imread

from point_peft.visualization import new_figure, plot_clouds, project, save_figure
from point_peft.visualization.clouds import AZIMUTH, ELEVATION, draw_cloud
from point_peft.visualization.palette import FEW, UNLABELLED
from point_peft.visualization.space import box_edges


def test_project_axes() -> None:
    """By hand: up stays up, shortened by the elevation; the point toward the viewer lands in the middle."""
    up, toward = (
        np.array([0.0, 1, 0]),
        np.array(
            [np.sin(AZIMUTH) * np.cos(ELEVATION), np.sin(ELEVATION), np.cos(AZIMUTH) * np.cos(ELEVATION)]
        ),
    )
    plane, nearness = project(np.stack([up, toward, np.array([np.cos(AZIMUTH), 0, -np.sin(AZIMUTH)])]))
    np.testing.assert_allclose(plane, [[0, np.cos(ELEVATION)], [0, 0], [1, 0]], atol=1e-12)
    np.testing.assert_allclose(nearness, [np.sin(ELEVATION), 1, 0], atol=1e-12)


def test_project_from_above() -> None:
    """By hand: straight from above the ground is seen in full, and what is higher is nearer."""
    plane, nearness = project(np.array([[0.0, 5, 0], [1, 0, 2]]), np.pi / 2)
    np.testing.assert_allclose(plane[0], 0, atol=1e-12)
    np.testing.assert_allclose([np.linalg.norm(plane[1]), *nearness], [5**0.5, 5, 0], atol=1e-12)


@given(st.integers(0, 2**31), st.integers(1, 30))
def test_project_is_a_rotation(seed: int, count: int) -> None:
    """Places and nearness together keep all distances, and do not mirror."""
    points = np.random.default_rng(seed).standard_normal((count, 3))
    plane, nearness = project(points)
    view = np.column_stack([plane, nearness])
    np.testing.assert_allclose(view @ view.T, points @ points.T, atol=1e-9)
    axes = np.column_stack(project(np.eye(3)))
    assert np.linalg.det(axes) == pytest.approx(1)


def test_layout_and_titles() -> None:
    """One pair of axes per cloud, in rows; titles and their colors are those given."""
    clouds = [np.random.default_rng(i).random((20 + i, 3)) for i in range(5)]
    figure = plot_clouds(clouds, list('abcde'), title_colors=['red'] * 4 + ['green'], columns=2)
    assert isinstance(figure, Figure)
    assert [axes.get_title() for axes in figure.axes] == list('abcde')
    assert figure.axes[4].title.get_color() == 'green'
    assert {axes.get_subplotspec().get_gridspec().get_geometry() for axes in figure.axes} == {(3, 2)}


def test_nearest_point_is_drawn_last() -> None:
    """By hand: of two points in line with the viewer the farther one comes first and is darker."""
    toward = np.array(
        [np.sin(AZIMUTH) * np.cos(ELEVATION), np.sin(ELEVATION), np.cos(AZIMUTH) * np.cos(ELEVATION)]
    )
    figure = plot_clouds([np.stack([toward, -toward])], ['line'])
    drawn = figure.axes[0].collections[0]
    np.testing.assert_allclose(drawn.get_array(), [-1, 1])


def test_parts_have_their_colors() -> None:
    """The colors are those of the palette, whatever else is in the cloud; points without a part are grey."""
    cloud = np.zeros((3, 3))
    figure = plot_clouds([cloud, cloud], ['a', 'b'], colors=[np.array([40, -1, 40]), np.array([40, 41, 39])])
    drawn = [axes.collections[0].get_facecolors() for axes in figure.axes]
    np.testing.assert_allclose(drawn[0], to_rgba_array([FEW[4], UNLABELLED, FEW[4]]))
    np.testing.assert_allclose(drawn[1], to_rgba_array([FEW[4], FEW[5], FEW[3]]))


def test_boxes_and_equal_axes() -> None:
    """Edges are drawn where points at their ends would be, and both axes of the picture have one unit."""
    axes = new_figure(2, 2).add_subplot()
    edges = np.random.default_rng(0).standard_normal((2, 12, 2, 3))
    draw_cloud(axes, np.zeros((1, 3)), edges=edges)
    (lines,) = [found for found in axes.collections if isinstance(found, LineCollection)]
    np.testing.assert_allclose(
        np.stack(lines.get_segments()).reshape(-1, 2), project(edges.reshape(-1, 3))[0]
    )
    assert axes.get_aspect() == 1
    low, high = np.array([axes.get_xlim(), axes.get_ylim()]).T
    places = np.stack(lines.get_segments()).reshape(-1, 2)
    assert (low <= places.min(axis=0)).all()
    assert (places.max(axis=0) <= high).all()


def test_boxes_in_colors() -> None:
    """All edges of a box have its color, and the points are grey; no boxes are fine."""
    figure = new_figure(2, 2)
    edges = box_edges(np.array([[0.5, 0.5, 0.5, 1, 1, 1, 0], [2, 0.5, 0.5, 1, 1, 1, 0]]), 'y')
    points, given = np.random.default_rng(0).random((9, 3)), np.array(['#ff0000', '#00ff00'], dtype=object)
    draw_cloud(figure.add_subplot(1, 2, 1), points, edges=edges, edge_colors=given)
    draw_cloud(figure.add_subplot(1, 2, 2), points, edges=edges[:0], edge_colors=given[:0])
    drawn, lines = figure.axes[0].collections
    np.testing.assert_allclose(lines.get_colors(), to_rgba_array(['#ff0000'] * 12 + ['#00ff00'] * 12))
    shades = drawn.cmap([0.0, 0.5, 1.0])[:, :3]
    np.testing.assert_allclose(shades, shades[:, :1].repeat(3, axis=1), atol=0.01)
    assert (np.diff(shades[:, 0]) < 0).all()
    assert figure.axes[1].collections[1].get_segments() == []


def test_written_picture(tmp_path: Path) -> None:
    """The file has the size of the figure and something in it; its directory is made."""
    path = tmp_path / 'deep' / 'cloud.png'
    save_figure(plot_clouds([np.random.default_rng(0).random((500, 3))], ['cloud']), path)
    picture = imread(path)[..., :3]
    assert picture.shape[:2] == (242, 220)
    assert 0.01 < (picture < 1).any(axis=-1).mean() < 0.5


def test_letters_without_a_glyph(tmp_path: Path, log: Any, recwarn: pytest.WarningsRecorder) -> None:
    """One line for all of them, and none for letters that the font has."""
    for title in ('stühle', '椅子'):
        save_figure(plot_clouds([np.eye(3)], [title]), tmp_path / 'cloud.png')
    assert not recwarn.list
    (message,) = log.at('WARNING')
    assert 'cloud.png has boxes for 2 letters' in message


def test_full_disk_leaves_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the file."""

    def fail(*args: Any) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', fail)
    with pytest.raises(OSError, match='No space left on device: .*cloud.png'):
        save_figure(new_figure(1, 1), tmp_path / 'cloud.png')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('clouds', 'titles', 'message'),
    [
        ([], [], 'no cloud to draw'),
        ([np.zeros((4, 2))], ['flat'], r'cloud 0 has shape \(4, 2\); expected'),
        ([np.zeros((4, 3))], ['one', 'two'], '1 clouds came with 2 titles'),
    ],
)
def test_bad_input(clouds: list[np.ndarray], titles: list[str], message: str) -> None:
    """What cannot be drawn is named."""
    with pytest.raises(ValueError, match=message):
        plot_clouds(clouds, titles)


def test_wrong_number_of_colors() -> None:
    """Colors for another number of clouds are refused, also in a figure that is there."""
    with pytest.raises(ValueError, match='1 clouds came with 0 colors'):
        plot_clouds([np.zeros((4, 3))], ['one'], colors=[])
