"""What a page knows of a cloud, as data for the script that draws it (``assets/clouds.js``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.io.json import to_json_plotly

from ..io.text import printable_lines
from .clouds import BOX_COLOR, view_direction
from .palette import QUIET
from .shown import ShownCloud
from .space import box_edges, upright

BOX_WIDTH = 4
"""Pixels of an edge of a box; the size of points depends on the screen."""


def describe_cloud(cloud: ShownCloud) -> dict[str, Any]:
    """A cloud with all that is drawn of it.

    The coordinates are plotly's, whose z axis stays up when a cloud is turned.

    Returns:
        dict: ``title``, ``mark`` and ``color`` of what is written above; ``panels``, each with its ``name``, the number
        of its ``points`` and plotly's ``traces``; ``legend``, each entry with ``key``, ``name`` and ``color``;
        ``center`` (3,) of the cube that holds everything, and half of its edge as ``radius``; ``eye`` (3,), the
        direction from where it is seen at first; ``extent`` (2,), half of the width and of the height that it then
        takes at most when it is turned about its up axis, in its own unit.
    """
    corners = [box_edges(boxes, cloud.up).reshape(-1, 3) for boxes in cloud.boxes.values()]
    everything = for_plotly(upright(np.concatenate([cloud.points, *corners]), cloud.up))
    low, high = everything.min(axis=0), everything.max(axis=0)
    center, radius = (low + high) / 2, float((high - low).max() / 2) or 1.0
    elevation = cloud.look.elevation
    from_axis = np.linalg.norm(everything[:, :2] - center[:2], axis=1)
    height = np.abs(everything[:, 2] - center[2]) * np.cos(elevation) + from_axis * np.sin(elevation)
    return dict(
        title=printable_lines(cloud.title),
        mark=cloud.mark,
        color=cloud.title_color,
        panels=[
            dict(
                name=printable_lines(name),
                points=len(cloud.points),
                traces=go.Figure(list(_traces(cloud, name))).to_dict()['data'],
            )
            for name in cloud.panels
        ],
        legend=[
            dict(key=str(label), name=printable_lines(name), color=color)
            for label, (name, color) in sorted(cloud.legend().items())
        ],
        center=center.tolist(),
        radius=radius,
        extent=[float(from_axis.max()) or 1.0, float(height.max()) or 1.0],
        eye=for_plotly(view_direction(elevation)).tolist(),
    )


def as_json(described: Any) -> str:
    """Descriptions as text that may stand in a script: nothing in it can end that."""
    return str(to_json_plotly(described)).replace('<', '\\u003c')


def for_plotly(points: np.ndarray) -> np.ndarray:
    """Coordinates (..., 3) with y up as right-handed ones with z up."""
    return points[..., [2, 0, 1]]


def _traces(cloud: ShownCloud, panel: str) -> Iterator[go.Scatter3d]:
    """Points and boxes of a panel by label."""
    points = for_plotly(upright(cloud.points, cloud.up)).astype(np.float32)
    labels, box_labels, colors = cloud.labels.get(panel), cloud.box_labels.get(panel), cloud.colors()
    if labels is None:
        scale = QUIET if panel in cloud.box_labels else 'Viridis'
        yield _points(points, dict(color=points[:, 2], colorscale=scale))
    else:
        for label in np.unique(labels).tolist():
            yield _points(points[labels == label], dict(color=colors[label]), **_named(cloud, label))
    if panel not in cloud.boxes:
        return
    edges = for_plotly(upright(box_edges(cloud.boxes[panel], cloud.up), cloud.up))
    if box_labels is None:
        yield _lines(edges, BOX_COLOR)
        return
    for label in np.unique(box_labels).tolist():
        yield _lines(edges[box_labels == label], colors[label], **_named(cloud, label))


def _named(cloud: ShownCloud, label: int) -> dict[str, Any]:
    """What a trace says when it is pointed at, and by which entry of the legend it is hidden."""
    return dict(text=_literal(cloud.label_name(label)), legendgroup=str(label))


def _points(points: np.ndarray, marker: dict[str, Any], **options: Any) -> go.Scatter3d:
    """A trace of points (N, 3)."""
    return _trace(points, mode='markers', marker=marker, **options)


def _lines(edges: np.ndarray, color: str, **options: Any) -> go.Scatter3d:
    """A trace of wireframes (M, 12, 2, 3); after every edge the pen is lifted."""
    ends = edges.reshape(-1, 2, 3).astype(np.float32)
    lifted = np.concatenate([ends, np.full_like(ends[:, :1], np.nan)], axis=1).reshape(-1, 3)
    return _trace(lifted, mode='lines', line=dict(color=color, width=BOX_WIDTH), **options)


def _trace(points: np.ndarray, **options: Any) -> go.Scatter3d:
    """A trace of points (N, 3)."""
    x, y, z = points.T.copy()
    return go.Scatter3d(x=x, y=y, z=z, hoverinfo='text' if 'text' in options else 'skip', **options)


def _literal(text: str) -> str:
    """Text as plotly shows it letter by letter, as it takes some tags of HTML."""
    return printable_lines(text).replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')
