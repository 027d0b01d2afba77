"""What is shown of one cloud, and its picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .clouds import CELL_HEIGHT, CELL_WIDTH, MARKER_SIZE, TITLE_SIZE, draw_cloud
from .figure import new_figure
from .palette import RIGHT, UNLABELLED, WRONG, label_colors, shades
from .space import Up, box_edges, upright

COLUMNS = 4
"""Clouds of one panel in a row."""

SCALE = 1.6
"""Size of a cloud here, compared with one among many."""

LEGEND_WIDTH, LEGEND_HEIGHT = 1.5, 0.25
"""Inches of a column and of a row of the legend."""

HEADING_SIZE = 10


@dataclass(frozen=True)
class ShownCloud:
    """A cloud with one or more labellings, each of which gets a panel beside the others.

    Attributes:
        title (str): What to write above; may have several lines.
        points (np.ndarray): (N, 3) coordinates, in any unit.
        labels (Mapping[str, np.ndarray]): Label (N,) of every point by the name of the panel, such as ``true`` and
            ``predicted``. Without any there is one panel.
        names (Mapping[int, str]): Names by label, of all labels that the cloud could have; others count as none.
        boxes (Mapping[str, np.ndarray]): Boxes (M, 7) by panel; see :func:`~.space.box_edges`.
        right (bool | None): Whether what the title says is right, if that can be said.
        up (str): The axis that points up.

    Raises:
        ValueError: The points are not (N, 3), or a labelling is not (N,).
    """

    title: str
    points: np.ndarray
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    boxes: Mapping[str, np.ndarray] = field(default_factory=dict)
    right: bool | None = None
    up: Up = 'y'

    def __post_init__(self) -> None:
        """Check the shapes."""
        if self.points.ndim != 2 or self.points.shape[1] != 3:
            raise ValueError(
                f'{self.title}: points have shape {self.points.shape}; expected (number of points, 3).'
            )
        for name, labels in self.labels.items():
            if labels.shape != self.points.shape[:1]:
                raise ValueError(
                    f'{self.title}: {len(self.points)} points came with {name} labels of shape {labels.shape}; the '
                    'labels must be those of the points that the model saw.'
                )

    @property
    def panels(self) -> tuple[str, ...]:
        """Names of the panels, left to right."""
        return tuple(dict.fromkeys([*self.labels, *self.boxes])) or ('',)

    @property
    def title_color(self) -> str:
        """Color of the title, which tells right from wrong."""
        return {True: RIGHT, False: WRONG, None: 'black'}[self.right]

    def colors(self) -> dict[int, str]:
        """Colors by label, of all labels that are named or occur."""
        found = {int(label) for labels in self.labels.values() for label in np.unique(labels)}
        named = label_colors(self.names or found)
        return {label: named.get(label, UNLABELLED) for label in sorted({*found, *named})}

    def label_name(self, label: int) -> str:
        """Number and name of a label as the legend shows it."""
        if label < 0 or (self.names and label not in self.names):
            return 'no label' if label < 0 else f'{label} (unknown)'
        return f'{label} {self.names.get(label, "")}'.strip()


def plot_shown(clouds: Sequence[ShownCloud]) -> Figure:
    """Draw clouds with all their panels, and one legend of the labels below.

    Args:
        clouds (Sequence[ShownCloud]): Clouds of one data set. Those of several panels get a row each, others stand in
            rows of ``COLUMNS``.

    Returns:
        Figure: See :func:`~.figure.save_figure`.

    Raises:
        ValueError: There is no cloud.
    """
    cells = [(cloud, panel) for cloud in clouds for panel in cloud.panels]
    if not cells:
        raise ValueError('there is no cloud to draw; give at least one.')
    several = max(len(cloud.panels) for cloud in clouds)
    columns = several if several > 1 else min(COLUMNS, len(cells))
    rows = -(-len(cells) // columns)
    legend = {cloud.label_name(label): color for cloud in clouds for label, color in cloud.colors().items()}
    width = SCALE * CELL_WIDTH * columns
    legend_columns = max(1, int(width / LEGEND_WIDTH))
    figure = new_figure(width, SCALE * CELL_HEIGHT * rows + LEGEND_HEIGHT * -(-len(legend) // legend_columns))
    with_heading = several > 1 and len(clouds) == 1
    for cell, (cloud, panel) in enumerate(cells):
        axes = figure.add_subplot(rows, columns, cell + 1)
        _draw_panel(axes, cloud, panel)
        title = panel if with_heading else f'{cloud.title}\n{panel}'.strip()
        axes.set_title(title, fontsize=TITLE_SIZE, color=cloud.title_color)
    if with_heading:
        figure.suptitle(clouds[0].title, fontsize=HEADING_SIZE, color=clouds[0].title_color)
    if legend:
        _draw_legend(figure, legend, legend_columns)
    return figure


def _draw_legend(figure: Figure, colors: Mapping[str, str], columns: int) -> None:
    """Draw dots with the names of their labels below everything."""
    dots = [Line2D([], [], linestyle='', marker='o', color=color) for color in colors.values()]
    style = dict(ncols=columns, fontsize=TITLE_SIZE, frameon=False)
    figure.legend(dots, list(colors), loc='outside lower center', **style)


def _draw_panel(axes: Axes, cloud: ShownCloud, panel: str) -> None:
    """Draw a panel of a cloud."""
    labels, boxes = cloud.labels.get(panel), cloud.boxes.get(panel)
    draw_cloud(
        axes,
        upright(cloud.points, cloud.up),
        None if labels is None else shades(labels, cloud.colors()),
        edges=None if boxes is None else upright(box_edges(boxes, cloud.up), cloud.up),
        marker_size=MARKER_SIZE * SCALE**2,
    )
