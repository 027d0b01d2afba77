"""Pictures of point clouds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure

from ..io.errors import InvalidValueError
from ..io.text import label
from .figure import new_figure
from .palette import QUIET, label_colors, shades

AZIMUTH, ELEVATION = np.deg2rad(35), np.deg2rad(20)
"""Where clouds are seen from; y is up, and azimuth 0 looks along -z."""

ROOM_ELEVATION = np.deg2rad(50)
"""Elevation that rooms are seen from: over their walls."""

CELL_WIDTH, CELL_HEIGHT = 2.0, 2.2
"""Inches that a cloud and its title take."""

MARKER_SIZE = 1.5
TITLE_SIZE = 8
BOX_COLOR, BOX_LINE_WIDTH = 'black', 0.8


def plot_clouds(
    clouds: Sequence[np.ndarray],
    titles: Sequence[str],
    *,
    colors: Sequence[np.ndarray] | None = None,
    title_colors: Sequence[str] | None = None,
    columns: int = 8,
) -> Figure:
    """Draw clouds side by side, in rows of ``columns``.

    Args:
        clouds (Sequence[np.ndarray]): Clouds (N, 3) with y up, in any unit.
        titles (Sequence[str]): What to write above each.
        colors (Sequence[np.ndarray] | None): For each cloud the part (N,) of every point, as integers, colored
            by :func:`~.palette.label_colors`; None colors by the nearness to the viewer.
        title_colors (Sequence[str] | None): Matplotlib colors of the titles; None means black.
        columns (int): Clouds in a row.

    Returns:
        Figure: See :func:`save_figure`.

    Raises:
        ValueError: There is no cloud, one is not (N, 3), or the lists differ in length.
    """
    _check(clouds, titles=titles, colors=colors, title_colors=title_colors)
    columns = max(1, min(columns, len(clouds)))
    rows = -(-len(clouds) // columns)
    figure = new_figure(CELL_WIDTH * columns, CELL_HEIGHT * rows)
    for cell, (cloud, title) in enumerate(zip(clouds, titles)):
        axes = figure.add_subplot(rows, columns, cell + 1)
        draw_cloud(axes, cloud, None if colors is None else shades(colors[cell], label_colors(colors[cell])))
        axes.set_title(
            label(title), fontsize=TITLE_SIZE, color=title_colors[cell] if title_colors else 'black'
        )
    return figure


def project(points: np.ndarray, elevation: float = ELEVATION) -> tuple[np.ndarray, np.ndarray]:
    """View points from the side and from above, without perspective.

    Args:
        points (np.ndarray): (N, 3) coordinates, y up.
        elevation (float): From how far above, in radians.

    Returns:
        tuple[np.ndarray, np.ndarray]: Places in the picture (N, 2), x to the right and y up; nearness to the
        viewer (N,); both in the unit of the points.
    """
    right = np.array([np.cos(AZIMUTH), 0, -np.sin(AZIMUTH)])
    toward = view_direction(elevation)
    return points @ np.stack([right, np.cross(toward, right)], axis=1), points @ toward


def view_direction(elevation: float = ELEVATION) -> np.ndarray:
    """Unit vector (3,) toward the viewer."""
    return np.array(
        [np.sin(AZIMUTH) * np.cos(elevation), np.sin(elevation), np.cos(AZIMUTH) * np.cos(elevation)]
    )


def draw_cloud(
    axes: Axes,
    cloud: np.ndarray,
    point_colors: np.ndarray | None = None,
    *,
    edges: np.ndarray | None = None,
    edge_colors: np.ndarray | None = None,
    marker_size: float = MARKER_SIZE,
    elevation: float = ELEVATION,
) -> None:
    """Draw one cloud, the nearest points last, with the same unit along both axes of the picture.

    Args:
        axes (Axes): Where to draw.
        cloud (np.ndarray): (N, 3) coordinates, y up.
        point_colors (np.ndarray | None): (N,) Matplotlib colors; None colors by the nearness to the viewer, in greys
            where boxes have colors.
        edges (np.ndarray | None): (M, 12, 2, 3) wireframes to draw over it; see :func:`~.space.box_edges`.
        edge_colors (np.ndarray | None): (M,) Matplotlib colors of the wireframes; None means black.
        marker_size (float): Area of a point, in points of 1/72 inch squared.
        elevation (float): From how far above it is seen, in radians.
    """
    plane, nearness = project(cloud, elevation)
    order = np.argsort(nearness)
    axes.scatter(
        plane[order, 0],
        plane[order, 1],
        c=(nearness if point_colors is None else point_colors)[order],
        cmap=_color_map(edge_colors) if point_colors is None else None,
        s=marker_size,
        linewidths=0,
    )
    if edges is not None:
        lines = project(edges.reshape(-1, 3), elevation)[0].reshape(-1, 2, 2)
        colors = BOX_COLOR if edge_colors is None else list(np.repeat(edge_colors, edges.shape[1]))
        axes.add_collection(LineCollection(list(lines), colors=colors, linewidths=BOX_LINE_WIDTH))
        axes.autoscale_view()
    axes.set_aspect('equal', adjustable='datalim')
    axes.set_axis_off()


def _color_map(edge_colors: np.ndarray | None) -> Colormap | str:
    """Colors of points by their nearness; greys under boxes in colors."""
    return 'viridis' if edge_colors is None else LinearSegmentedColormap.from_list('quiet', QUIET)


def _check(clouds: Sequence[np.ndarray], **lists: Sequence | None) -> None:
    """Check that there is something to draw and that everything has one entry per cloud."""
    if not len(clouds):
        raise InvalidValueError('there is no cloud to draw; give at least one.')
    for index, cloud in enumerate(clouds):
        if cloud.ndim != 2 or cloud.shape[1] != 3:
            raise InvalidValueError(f'cloud {index} has shape {cloud.shape}; expected (number of points, 3).')
    for name, values in lists.items():
        if values is not None and len(values) != len(clouds):
            raise InvalidValueError(
                f'{len(clouds)} clouds came with {len(values)} {name}; give one for each.'
            )
