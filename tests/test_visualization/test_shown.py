"""Clouds with several labellings, and their pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgba_array
from matplotlib.image import imread

from point_peft.visualization import ShownCloud, plot_shown, save_figure
from point_peft.visualization.palette import FEW, RIGHT, UNLABELLED, WRONG

POINTS = np.random.default_rng(0).random((4, 3))
TRUE, PREDICTED = np.array([7, 7, 8, 8]), np.array([7, 8, 8, 9])
NAMES = {7: 'mug/body', 8: 'mug/handle', 9: 'mug/saucer'}


def segmented(**changes: object) -> ShownCloud:
    """A cloud with true and predicted parts."""
    given = dict(labels={'true': TRUE, 'predicted': PREDICTED}, names=NAMES)
    return ShownCloud('a mug', POINTS, **{**given, **changes})


def test_panels_colors_and_legend() -> None:
    """Both labellings side by side in the same colors, below them number and name of all parts of the category."""
    figure = plot_shown([segmented()])
    left, right = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ['true', 'predicted']
    assert left.get_position().x1 <= right.get_position().x0
    assert figure.get_suptitle() == 'a mug'
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ['7 mug/body', '8 mug/handle', '9 mug/saucer']
    expected = [FEW[label % len(FEW)] for label in (7, 8, 9)]
    assert [handle.get_color() for handle in legend.legend_handles] == expected
    for axes, labels in zip(figure.axes, (TRUE, PREDICTED)):
        drawn = np.sort(axes.collections[0].get_facecolors(), axis=0)
        np.testing.assert_allclose(drawn, np.sort(to_rgba_array([FEW[i % len(FEW)] for i in labels]), axis=0))


def test_unknown_labels() -> None:
    """What is no part of the category is grey, in the legend too; without names there are numbers."""
    cloud = segmented(labels={'true': np.array([7, -1, 49, 9])})
    assert cloud.colors()[49] == cloud.colors()[-1] == UNLABELLED
    assert [cloud.label_name(label) for label in (-1, 7, 49)] == ['no label', '7 mug/body', '49 (unknown)']
    assert segmented(names={}).label_name(8) == '8'
    assert set(segmented(names={}).colors()) == {7, 8, 9}


@pytest.mark.parametrize(('right', 'color'), [(True, RIGHT), (False, WRONG), (None, 'black')])
def test_classified_clouds(right: bool | None, color: str) -> None:
    """Without labels there is one panel and no legend; the title's color and its mark tell right from wrong."""
    clouds = [ShownCloud(f'cloud {index}', POINTS, right=right) for index in range(5)]
    figure = plot_shown(clouds)
    mark = {True: '\u2713 ', False: '\u2717 ', None: ''}[right]
    assert [axes.get_title() for axes in figure.axes] == [f'{mark}cloud {index}' for index in range(5)]
    assert {axes.title.get_color() for axes in figure.axes} == {color}
    assert not figure.legends
    assert {axes.get_subplotspec().get_gridspec().get_geometry() for axes in figure.axes} == {(2, 4)}


def test_rows_of_several_panels() -> None:
    """Each cloud has a row; their titles stand above the panels."""
    figure = plot_shown([segmented(), segmented()])
    assert [axes.get_title() for axes in figure.axes] == ['a mug\ntrue', 'a mug\npredicted'] * 2
    assert {axes.get_subplotspec().get_gridspec().get_geometry() for axes in figure.axes} == {(2, 2)}
    assert len(figure.legends[0].get_texts()) == 3


def test_boxes_get_panels(tmp_path: Path) -> None:
    """Boxes stand in the panel of their name; the picture of a room with many classes can be written."""
    names = {label: f'class {label}' for label in range(20)}
    cloud = segmented(labels={'true': TRUE}, names=names, boxes={'predicted': np.ones((2, 7))}, up='z')
    assert cloud.panels == ('true', 'predicted')
    figure = plot_shown([cloud])
    assert [len(axes.collections) for axes in figure.axes] == [1, 2]
    assert len(figure.axes[1].collections[1].get_segments()) == 24
    save_figure(figure, tmp_path / 'room.png')
    assert (imread(tmp_path / 'room.png')[..., :3] < 1).any()


def test_boxes_have_the_colors_of_their_labels() -> None:
    """Edges in the color of the box's class, in the order of the boxes; the legend has the classes that occur."""
    names = {label: f'class {label}' for label in range(18)}
    boxes, labels = np.ones((3, 7)), np.array([17, 2, 17])
    cloud = ShownCloud(
        'room',
        POINTS,
        names=names,
        boxes={'true': boxes, 'predicted': boxes[:1]},
        box_labels={'true': labels, 'predicted': np.array([-1])},
        up='z',
    )
    figure = plot_shown([cloud])
    lines = figure.axes[0].collections[1]
    expected = [cloud.colors()[label] for label in labels.repeat(12)]
    np.testing.assert_allclose(lines.get_colors(), to_rgba_array(expected))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        'no label',
        '2 class 2',
        '17 class 17',
    ]
    assert len({cloud.colors()[label] for label in range(18)}) == 18


def test_legend_of_several_clouds() -> None:
    """Sorted by label whatever the order of the clouds, without those that do not occur where many are named."""
    names = {label: f'class {label}' for label in range(18)}
    clouds = [ShownCloud('room', POINTS, labels={'': np.full(4, label)}, names=names) for label in (11, 2)]
    legend = plot_shown(clouds).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ['2 class 2', '11 class 11']


def test_rooms_are_seen_from_above_and_larger() -> None:
    """What stands on the floor hides less of it; the picture has more pixels."""
    room, mug = segmented(up='z'), segmented()
    assert room.look.elevation > mug.look.elevation
    assert (plot_shown([room]).get_size_inches() > 1.2 * plot_shown([mug]).get_size_inches()).all()


def test_thinned() -> None:
    """Points are left out together with their labels, always the same ones; boxes and small clouds stay."""
    points = np.random.default_rng(0).random((500, 3))
    labels = (points[:, 0] > 0.5).astype(int)
    cloud = ShownCloud('room', points, labels={'true': labels}, boxes={'true': np.ones((2, 7))}, up='z')
    thin, again = cloud.thinned(100), cloud.thinned(100)
    np.testing.assert_array_equal(thin.points, again.points)
    np.testing.assert_array_equal(thin.labels['true'], thin.points[:, 0] > 0.5)
    assert thin.points.shape == (100, 3) and len(thin.boxes['true']) == 2
    assert len(np.unique(thin.points, axis=0)) == 100
    assert cloud.thinned(500) is cloud


def test_bad_input() -> None:
    """Shapes that do not go together, and nothing to draw."""
    with pytest.raises(ValueError, match=r'a mug: 4 points came with true labels of shape \(3,\)'):
        segmented(labels={'true': TRUE[:3]})
    with pytest.raises(ValueError, match=r'flat: points have shape \(4, 2\)'):
        ShownCloud('flat', POINTS[:, :2])
    for boxes in ({'true': np.ones((1, 7))}, {}):
        with pytest.raises(ValueError, match='a mug: true boxes .* came with labels .*; give one for each'):
            segmented(boxes=boxes, box_labels={'true': np.zeros(2, dtype=int)})
    with pytest.raises(ValueError, match='no cloud to draw'):
        plot_shown([])
