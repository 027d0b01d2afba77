"""The interactive page."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from point_peft.visualization import ShownCloud, write_page
from point_peft.visualization.page import build_figure
from point_peft.visualization.palette import QUIET
from point_peft.visualization.space import box_edges

GENERATOR = np.random.default_rng(0)
NAMES = {7: 'mug/body', 8: 'mug/</script>', 9: 'mug/saucer'}
CLOUDS = [
    ShownCloud(
        'first <b>\nmug',
        GENERATOR.random((50, 3)),
        labels={'true': GENERATOR.integers(7, 9, 50), 'predicted': GENERATOR.integers(7, 10, 50)},
        names=NAMES,
    ),
    ShownCloud(
        'second',
        GENERATOR.random((40, 3)) * [1, 5, 2] + 100,
        labels={'true': np.full(40, 7), 'predicted': np.full(40, 9)},
        names=NAMES,
        right=True,
    ),
]


class Tags(HTMLParser):
    """All tags of a page with their attributes, and the text outside scripts; unbalanced tags are an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != 'meta':
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def points_of(figure: go.Figure, scene: str, *, cloud: int) -> np.ndarray:
    """Points of a cloud in a scene, sorted."""
    owners = owners_of(figure)
    traces = [trace for trace, owner in zip(figure.data, owners) if owner == cloud and trace.scene == scene]
    found = np.concatenate([np.stack([trace.x, trace.y, trace.z], axis=1) for trace in traces])
    return found[np.lexsort(found.T)]


def owners_of(figure: go.Figure) -> list[int]:
    """Which cloud every trace is of, as the buttons switch them."""
    visible = np.array([button.args[0]['visible'] for button in figure.layout.updatemenus[0].buttons])
    assert (visible.sum(axis=0) == 1).all()
    return visible.argmax(axis=0).tolist()


def test_page_is_self_contained(tmp_path: Path) -> None:
    """The page parses, loads nothing, has the script in it, and names from files cannot end a script."""
    path = tmp_path / 'deep' / 'page.html'
    write_page(CLOUDS, path, title='clouds <&>')
    page = path.read_text(encoding='utf-8')
    tags = Tags(page)
    assert [tag for tag, attributes in tags.found if {'src', 'href'} & set(attributes)] == []
    assert 'src="http' not in page
    assert {'html', 'head', 'title', 'body', 'div', 'script'} <= {tag for tag, _ in tags.found}
    assert len(page) > 3_000_000
    assert '<title>clouds &lt;&amp;&gt;</title>' in page
    assert 'plotly_relayout' in page.rpartition('Plotly.newPlot')[2]
    assert 10 < path.stat().st_size / 1e5 < 80


def test_traces() -> None:
    """All points are in both scenes, split by label, with the colors and names of the picture."""
    figure = build_figure(CLOUDS)
    for cloud, shown in enumerate(CLOUDS):
        expected = shown.points[np.lexsort(shown.points.astype(np.float32).T)]
        for scene in ('scene', 'scene2'):
            np.testing.assert_allclose(points_of(figure, scene, cloud=cloud), expected, rtol=1e-6)
    first = [trace for trace, owner in zip(figure.data, owners_of(figure)) if owner == 0]
    assert {trace.legendgroup: trace.marker.color for trace in first} == {
        str(label): color for label, color in CLOUDS[0].colors().items()
    }
    shown_once = [trace.name for trace in first if trace.showlegend]
    assert shown_once == ['7 mug/body', '8 mug/&lt;/script&gt;', '9 mug/saucer']
    true = [trace for trace in first if trace.scene == 'scene' and trace.legendgroup == '7']
    assert len(true) == 1
    assert len(true[0].x) == (CLOUDS[0].labels['true'] == 7).sum()


def test_list_of_clouds() -> None:
    """The first cloud is visible at first; each entry brings its traces, titles and ranges."""
    figure = build_figure(CLOUDS)
    assert [trace.visible for trace in figure.data] == [owner == 0 for owner in owners_of(figure)]
    buttons = figure.layout.updatemenus[0].buttons
    assert [button.label for button in buttons] == ['1. first &lt;b&gt;, mug', '2. second']
    texts = [[text['text'] for text in button.args[1]['annotations']] for button in buttons]
    assert texts == [['first &lt;b&gt;<br>mug', 'true', 'predicted'], ['second', 'true', 'predicted']]
    assert [text.text for text in figure.layout.annotations] == texts[0]
    assert 'updatemenus' not in build_figure(CLOUDS[:1]).layout.to_plotly_json()


def test_axes_have_one_unit() -> None:
    """In a cube, the ranges of all axes are equally long and hold all points, also of a far and flat cloud."""
    figure = build_figure(CLOUDS)
    frame = figure.layout.updatemenus[0].buttons[1].args[1]
    for scene in ('scene', 'scene2'):
        assert figure.layout[scene].aspectmode == 'cube'
        ranges = np.array([frame[f'{scene}.{axis}axis.range'] for axis in 'xyz'])
        np.testing.assert_allclose(np.diff(ranges), np.diff(ranges)[0].repeat(3)[:, None])
        assert (ranges[:, 0] < CLOUDS[1].points.min(axis=0)).all()
        assert (ranges[:, 1] > CLOUDS[1].points.max(axis=0)).all()


def test_without_labels() -> None:
    """A classified cloud is in one scene, without legend, and its page links no cameras."""
    figure = build_figure([ShownCloud('chair', CLOUDS[0].points)])
    (trace,) = figure.data
    assert trace.showlegend is False
    np.testing.assert_allclose(trace.marker.color, CLOUDS[0].points[:, 1], rtol=1e-6)
    assert 'scene2' not in figure.layout.to_plotly_json()


def test_boxes_of_a_room() -> None:
    """Wireframes of a room whose z points up are lines with gaps, turned with the points; the ranges hold them."""
    boxes = np.array([[0.5, 0.5, 0.5, 3, 1, 1, 0.3]])
    cloud = ShownCloud('room', CLOUDS[0].points, boxes={'predicted': boxes}, up='z')
    points, lines = build_figure([cloud]).data
    np.testing.assert_allclose(points.y, cloud.points[:, 2], rtol=1e-6)
    line = np.stack([lines.x, lines.y, lines.z], axis=1).reshape(12, 3, 3)
    assert np.isnan(line[:, 2]).all()
    edges = box_edges(boxes, 'z')[0]
    np.testing.assert_allclose(line[:, :2, 1], edges[..., 2], rtol=1e-5)
    np.testing.assert_allclose(line[:, :2, 2], -edges[..., 1], rtol=1e-5)
    low, high = build_figure([cloud]).layout.scene.xaxis.range
    assert low < edges[..., 0].min() < edges[..., 0].max() < high


def test_boxes_by_class() -> None:
    """A trace per class and panel in its color, under one entry of the legend; points are grey, seen from above."""
    boxes = np.tile([0.5, 0.5, 0.5, 1, 1, 1, 0.3], (3, 1))
    cloud = ShownCloud(
        'room',
        CLOUDS[0].points,
        names={label: f'class {label}' for label in range(18)},
        boxes={'true': boxes, 'predicted': boxes[:1]},
        box_labels={'true': np.array([4, 9, 4]), 'predicted': np.array([9])},
        up='z',
    )
    figure = build_figure([cloud])
    lines = [trace for trace in figure.data if trace.mode == 'lines']
    found = [(trace.scene, trace.legendgroup, len(trace.x), trace.showlegend) for trace in lines]
    assert found == [('scene', '4', 72, True), ('scene', '9', 36, True), ('scene2', '9', 36, False)]
    assert [trace.line.color for trace in lines] == [cloud.colors()[label] for label in (4, 9, 9)]
    assert [trace.name for trace in lines] == ['4 class 4', '9 class 9', '9 class 9']
    points = [trace for trace in figure.data if trace.mode == 'markers']
    assert len(points) == 2
    for trace in points:
        assert [color for _, color in trace.marker.colorscale] == list(QUIET)
    eye = figure.layout.scene.camera.eye
    assert eye.y > np.hypot(eye.x, eye.z)


def test_nothing_to_show(tmp_path: Path) -> None:
    """No clouds, no page."""
    with pytest.raises(ValueError, match='no cloud to show'):
        write_page([], tmp_path / 'page.html', title='empty')
    assert not list(tmp_path.iterdir())


def test_one_point() -> None:
    """A cloud without extent has ranges of some length."""
    low, high = build_figure([ShownCloud('point', np.zeros((1, 3)))]).layout.scene.xaxis.range
    assert low < 0 < high
