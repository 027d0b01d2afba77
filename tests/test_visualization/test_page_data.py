"""What a page knows of its clouds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from point_peft.visualization import ShownCloud, project
from point_peft.visualization.clouds import ELEVATION, ROOM_ELEVATION
from point_peft.visualization.page_data import as_json, describe_cloud
from point_peft.visualization.palette import QUIET
from point_peft.visualization.space import box_edges, upright

GENERATOR = np.random.default_rng(0)
POINTS = GENERATOR.random((50, 3))
LABELS = {'true': GENERATOR.integers(7, 9, 50), 'predicted': GENERATOR.integers(7, 10, 50)}
NAMES = {7: 'mug/body', 8: 'mug/<i>handle', 9: 'mug/saucer'}
BOXES = np.tile([0.5, 0.5, 0.5, 3, 1, 1, 0.3], (3, 1))


def decode(values: list | dict) -> np.ndarray:
    """An array as plotly stores it, in base64 since version 6."""
    if isinstance(values, dict):
        import base64

        return np.frombuffer(base64.b64decode(values['bdata']), values['dtype']).astype(float)
    return np.array(values, dtype=float)


def places(trace: dict) -> np.ndarray:
    """Coordinates (N, 3) of a trace with y up, as the package has them: plotly's z is up."""
    return np.stack([decode(trace[axis]) for axis in 'yzx'], axis=1)


def in_order(points: np.ndarray) -> np.ndarray:
    return points[np.lexsort(points.T)]


def test_points_by_label() -> None:
    """All points are in both panels, split by label, with the colors of the picture and names letter by letter."""
    cloud = ShownCloud('a mug', POINTS, labels=LABELS, names=NAMES)
    described = describe_cloud(cloud)
    assert [panel['name'] for panel in described['panels']] == ['true', 'predicted']
    for panel, labels in zip(described['panels'], LABELS.values()):
        assert panel['points'] == 50
        found = {int(trace['legendgroup']): trace for trace in panel['traces']}
        assert set(found) == set(labels)
        for label, trace in found.items():
            np.testing.assert_allclose(places(trace), POINTS[labels == label], rtol=1e-6)
            assert trace['marker']['color'] == cloud.colors()[label]
    texts = {trace['legendgroup']: trace['text'] for trace in described['panels'][1]['traces']}
    assert texts == {'7': '7 mug/body', '8': '8 mug/&lt;i&gt;handle', '9': '9 mug/saucer'}
    assert described['legend'] == [
        dict(key=str(label), name=f'{label} {name}', color=cloud.colors()[label])
        for label, name in NAMES.items()
    ]


def test_without_labels() -> None:
    """A classified cloud is in one panel without a name or a legend, colored by height."""
    described = describe_cloud(ShownCloud('chair', POINTS, right=False))
    (panel,) = described['panels']
    assert panel['name'] == '' and described['legend'] == []
    np.testing.assert_allclose(decode(panel['traces'][0]['marker']['color']), POINTS[:, 1], rtol=1e-6)
    assert described['mark'] == '\u2717'


def test_boxes_of_a_room() -> None:
    """Wireframes of a room whose z points up are lines with gaps, turned with the points; the cube holds them."""
    cloud = ShownCloud('room', POINTS, boxes={'predicted': BOXES[:1]}, up='z')
    described = describe_cloud(cloud)
    points, lines = described['panels'][0]['traces']
    np.testing.assert_allclose(places(points), upright(POINTS, 'z'), rtol=1e-6)
    line = places(lines).reshape(12, 3, 3)
    assert np.isnan(line[:, 2]).all()
    edges = upright(box_edges(BOXES[:1], 'z')[0], 'z')
    np.testing.assert_allclose(line[:, :2], edges, rtol=1e-5)
    center = np.array(described['center'])[[1, 2, 0]]
    assert (np.abs(edges - center).max(axis=(0, 1)) <= described['radius'] + 1e-9).all()


def test_boxes_by_class() -> None:
    """A trace per class and panel in its color, under one entry of the legend; points are grey."""
    cloud = ShownCloud(
        'room',
        POINTS,
        names={label: f'class {label}' for label in range(18)},
        boxes={'true': BOXES, 'predicted': BOXES[:1]},
        box_labels={'true': np.array([4, 9, 4]), 'predicted': np.array([9])},
        up='z',
    )
    described = describe_cloud(cloud)
    lines = [
        [trace for trace in panel['traces'] if trace['mode'] == 'lines'] for panel in described['panels']
    ]
    found = [[(trace['legendgroup'], len(places(trace))) for trace in panel] for panel in lines]
    assert found == [[('4', 72), ('9', 36)], [('9', 36)]]
    assert [trace['line']['color'] for trace in lines[0]] == [cloud.colors()[label] for label in (4, 9)]
    assert [entry['name'] for entry in described['legend']] == ['4 class 4', '9 class 9']
    for panel in described['panels']:
        assert [color for _, color in panel['traces'][0]['marker']['colorscale']] == list(QUIET)


@pytest.mark.parametrize(('up', 'elevation'), [('y', ELEVATION), ('z', ROOM_ELEVATION)])
def test_extent(up: str, elevation: float) -> None:
    """Turned to any side, the cloud stays within the extent, and touches it from one of them."""
    points = POINTS * [1, 5, 2] + 100
    described = describe_cloud(ShownCloud('far', points, up=up))
    center = np.array(described['center'])[[1, 2, 0]]
    sides = []
    for turn in np.linspace(0, 2 * np.pi, 721):
        cosine, sine = np.cos(turn), np.sin(turn)
        turned = (upright(points, up) - center) @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
        sides.append(np.abs(project(turned, elevation)[0]).max(axis=0))
    np.testing.assert_allclose(np.max(sides, axis=0), described['extent'], rtol=1e-3)


def test_no_extent() -> None:
    """A single point has a cube and an extent all the same."""
    described = describe_cloud(ShownCloud('point', np.zeros((1, 3))))
    assert described['radius'] > 0 and min(described['extent']) > 0


def test_json() -> None:
    """Nothing can end the script that it stands in, and it is read as it was."""
    text = as_json([{'title': '</script><!--', 'values': np.arange(3)}])
    assert '<' not in text
    assert json.loads(text) == [{'title': '</script><!--', 'values': [0, 1, 2]}]
