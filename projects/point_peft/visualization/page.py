"""An interactive page of clouds: one file that opens in any browser, without a network."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.io import to_html

from ..io.atomic import write_atomically
from ..io.errors import InvalidValueError
from ..io.text import printable, printable_lines
from .clouds import BOX_COLOR, view_direction
from .palette import QUIET
from .shown import ShownCloud
from .space import box_edges, upright

POINT_SIZE = 2
"""Pixels of a point, and BOX_WIDTH of an edge of a box."""

BOX_WIDTH = 4

DISTANCE = 1.9
"""From where a cloud is seen at first, in edges of the cube around it."""

GAP = 0.02
"""Room between two panels, and MARGIN around a cloud, as a share of the whole."""

MARGIN = 0.05

TOP = 0.9
"""Upper end of the panels; titles and the list of the clouds are above."""

LINKED_CAMERAS = """
const plot = document.getElementById('{plot_id}');
const scenes = Object.keys(plot.layout).filter(name => /^scene\\d*$/.test(name));
let copying = false;
plot.on('plotly_relayout', change => {
  const moved = scenes.find(name => change[name + '.camera']);
  if (copying || !moved) return;
  copying = true;
  const cameras = {};
  scenes.filter(name => name !== moved).forEach(name => { cameras[name + '.camera'] = change[moved + '.camera']; });
  Plotly.relayout(plot, cameras).then(() => { copying = false; });
});
"""
"""Script that shows all panels from where one of them is seen."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><style>body {{ margin: 0 }}</style></head>
<body>
{plot}
</body>
</html>
"""


def write_page(clouds: Sequence[ShownCloud], path: str | Path, *, title: str) -> None:
    """Write clouds into one page with a list to choose from; makes its directory.

    The page holds plotly's script (about 5 MB), so it needs no network; hence one page for all clouds.

    Args:
        clouds (Sequence[ShownCloud]): The clouds.
        path (str | Path): File to write.
        title (str): What the browser calls the page.

    Raises:
        ValueError: There is no cloud.
    """
    figure = build_figure(clouds)
    several = max(len(cloud.panels) for cloud in clouds) > 1
    plot = to_html(
        figure,
        include_plotlyjs=True,
        full_html=False,
        default_height='100vh',
        config=dict(displaylogo=False),
        post_script=LINKED_CAMERAS if several else None,
    )
    write_atomically(path, PAGE.format(title=html.escape(printable(title)), plot=plot).encode())


def build_figure(clouds: Sequence[ShownCloud]) -> go.Figure:
    """Build the plot: a scene per panel, all clouds in it, one of them visible.

    Raises:
        ValueError: There is no cloud.
    """
    if not clouds:
        raise InvalidValueError('there is no cloud to show; give at least one.')
    traces = [(index, trace) for index, cloud in enumerate(clouds) for trace in _traces(cloud)]
    for index, trace in traces:
        trace.visible = index == 0
    figure = go.Figure([trace for _, trace in traces])
    width = max(len(cloud.panels) for cloud in clouds)
    for panel in range(width):
        left, right = panel / width + GAP / 2, (panel + 1) / width - GAP / 2
        figure.update_layout({_scene(panel): _view(left, right, clouds[0].look.elevation)})
    figure.update_layout(
        template='plotly_white', margin=dict(l=0, r=0, t=10, b=10), legend=dict(itemsizing='constant', y=TOP)
    )
    figure.update_layout(_frame(clouds[0], width))
    buttons = [
        dict(
            method='update',
            label=_text(f'{index + 1}. {cloud.title}', line_break=', '),
            args=[{'visible': [owner == index for owner, _ in traces]}, _frame(cloud, width)],
        )
        for index, cloud in enumerate(clouds)
    ]
    if len(clouds) > 1:
        figure.update_layout(updatemenus=[dict(buttons=buttons, x=0.01, xanchor='left', y=1, yanchor='top')])
    return figure


def _traces(cloud: ShownCloud) -> Iterator[go.Scatter3d]:
    """Points and boxes by panel and label; an entry of the legend switches all that has its label, in all panels."""
    points, colors = upright(cloud.points, cloud.up).astype(np.float32), cloud.colors()
    named: set[int] = set()

    def entry(label: int) -> dict[str, Any]:
        """What puts traces of a label under one entry of the legend."""
        first = label not in named
        named.add(label)
        return dict(
            name=_text(cloud.label_name(label)),
            legendgroup=str(label),
            legendrank=1000 + label,
            showlegend=first,
        )

    for panel, name in enumerate(cloud.panels):
        labels = cloud.labels.get(name)
        if labels is None:
            scale = QUIET if name in cloud.box_labels else 'Viridis'
            yield _points(points, panel, dict(color=points[:, 1], colorscale=scale), showlegend=False)
        else:
            for label in np.unique(labels).tolist():
                yield _points(points[labels == label], panel, dict(color=colors[label]), **entry(label))
        if name not in cloud.boxes:
            continue
        edges = upright(box_edges(cloud.boxes[name], cloud.up), cloud.up)
        if name not in cloud.box_labels:
            yield _lines(edges, panel, BOX_COLOR, showlegend=False)
            continue
        for label in np.unique(cloud.box_labels[name]).tolist():
            yield _lines(edges[cloud.box_labels[name] == label], panel, colors[label], **entry(label))


def _points(points: np.ndarray, panel: int, marker: dict[str, Any], **options: Any) -> go.Scatter3d:
    """A trace of points (N, 3)."""
    x, y, z = points.T.copy()
    return go.Scatter3d(
        x=x,
        y=y,
        z=z,
        mode='markers',
        marker=dict(size=POINT_SIZE, **marker),
        scene=_scene(panel),
        hoverinfo='name' if 'name' in options else 'skip',
        **options,
    )


def _lines(edges: np.ndarray, panel: int, color: str, **options: Any) -> go.Scatter3d:
    """A trace of wireframes (M, 12, 2, 3); after every edge the pen is lifted."""
    ends = edges.reshape(-1, 2, 3).astype(np.float32)
    x, y, z = np.concatenate([ends, np.full_like(ends[:, :1], np.nan)], axis=1).reshape(-1, 3).T.copy()
    return go.Scatter3d(
        x=x,
        y=y,
        z=z,
        mode='lines',
        line=dict(color=color, width=BOX_WIDTH),
        scene=_scene(panel),
        hoverinfo='name' if 'name' in options else 'skip',
        **options,
    )


def _frame(cloud: ShownCloud, width: int) -> dict[str, Any]:
    """What of the layout is another for every cloud: ranges (a cube, so that all axes have one unit) and titles."""
    corners = [box_edges(boxes, cloud.up).reshape(-1, 3) for boxes in cloud.boxes.values()]
    points = upright(np.concatenate([cloud.points, *corners]), cloud.up)
    low, high = points.min(axis=0), points.max(axis=0)
    radius = float((high - low).max() / 2) * (1 + MARGIN) or 1.0
    frame: dict[str, Any] = {}
    for panel in range(width):
        for axis, center in zip('xyz', ((low + high) / 2).tolist()):
            frame[f'{_scene(panel)}.{axis}axis.range'] = [center - radius, center + radius]
    heading = dict(text=_text(cloud.title), x=0.5, y=1.0, yanchor='top', font=dict(color=cloud.title_color))
    names = [
        dict(text=_text(name), x=(panel + 0.5) / width, y=TOP, yanchor='bottom')
        for panel, name in enumerate(cloud.panels)
    ]
    frame['annotations'] = [
        dict(xref='paper', yref='paper', xanchor='center', showarrow=False, **text)
        for text in [heading, *names]
    ]
    return frame


def _view(left: float, right: float, elevation: float) -> dict[str, Any]:
    """A scene without axes between two places, seen as in the pictures."""
    x, y, z = (DISTANCE * view_direction(elevation)).tolist()
    return dict(
        domain=dict(x=[left, right], y=[0, TOP]),
        aspectmode='cube',
        camera=dict(up=dict(x=0, y=1, z=0), eye=dict(x=x, y=y, z=z)),
        **{f'{axis}axis': dict(visible=False) for axis in 'xyz'},
    )


def _scene(panel: int) -> str:
    """Plotly's name of the scene of a panel."""
    return 'scene' if panel == 0 else f'scene{panel + 1}'


def _text(text: str, line_break: str = '<br>') -> str:
    """Text as plotly shows it literally."""
    return html.escape(printable_lines(text)).replace('\n', line_break)
