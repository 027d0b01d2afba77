"""What is shown of one cloud, and its picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..io.errors import InvalidValueError
from ..io.text import label as literal
from .clouds import CELL_HEIGHT, CELL_WIDTH, ELEVATION, ROOM_ELEVATION, TITLE_SIZE, draw_cloud
from .figure import draw_legend, new_figure
from .palette import FEW, RIGHT, UNLABELLED, WRONG, label_colors, shades
from .space import Up, box_edges, upright

COLUMNS = 4
"""Clouds of one panel in a row."""


class Look(NamedTuple):
    """How clouds are drawn.

    Attributes:
        scale (float): Size of a cloud, compared with one among many.
        marker_size (float): Largest area of a point, in points of 1/72 inch squared; those of large clouds are smaller.
        elevation (float): From how far above they are seen, in radians.
    """

    scale: float
    marker_size: float
    elevation: float


LOOKS: dict[Up, Look] = {'y': Look(1.6, 3.8, ELEVATION), 'z': Look(2.6, 5.0, ROOM_ELEVATION)}
"""Objects and, larger and from above, rooms, by the axis that points up."""

INK = 44_000
"""Area of all points of a cloud together at most, in points of 1/72 inch squared."""

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
        box_labels (Mapping[str, np.ndarray]): Label (M,) of every box by panel. Boxes of a panel without are black.
        right (bool | None): Whether what the title says is right, if that can be said.
        up (str): The axis that points up.

    Raises:
        ValueError: The points are not (N, 3), a labelling is not (N,), or there is not one label per box.
    """

    title: str
    points: np.ndarray
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    boxes: Mapping[str, np.ndarray] = field(default_factory=dict)
    box_labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    right: bool | None = None
    up: Up = 'y'

    def __post_init__(self) -> None:
        """Check the shapes."""
        if self.points.ndim != 2 or self.points.shape[1] != 3:
            raise InvalidValueError(
                f'{self.title}: points have shape {self.points.shape}; expected (number of points, 3).'
            )
        for name, labels in self.labels.items():
            if labels.shape != self.points.shape[:1]:
                raise InvalidValueError(
                    f'{self.title}: {len(self.points)} points came with {name} labels of shape {labels.shape}; the '
                    'labels must be those of the points that the model saw.'
                )
        for name, labels in self.box_labels.items():
            if labels.shape != (count := np.shape(self.boxes.get(name, ()))[:1]):
                raise InvalidValueError(
                    f'{self.title}: {name} boxes {count} came with labels {labels.shape}; give one for each.'
                )

    @property
    def panels(self) -> tuple[str, ...]:
        """Names of the panels, left to right."""
        return tuple(dict.fromkeys([*self.labels, *self.boxes])) or ('',)

    @property
    def title_color(self) -> str:
        """Color of the title, which tells right from wrong."""
        return {True: RIGHT, False: WRONG, None: 'black'}[self.right]

    @property
    def mark(self) -> str:
        """What stands before the title, so that right and wrong differ for eyes without colors too."""
        return {True: '\u2713', False: '\u2717', None: ''}[self.right]

    @property
    def heading(self) -> str:
        """The title with its mark."""
        return f'{self.mark} {self.title}'.strip()

    @property
    def look(self) -> Look:
        """How it is drawn."""
        return LOOKS[self.up]

    def found(self) -> set[int]:
        """Labels that occur."""
        given = (*self.labels.values(), *self.box_labels.values())
        return {int(label) for labels in given for label in np.unique(labels)}

    def colors(self) -> dict[int, str]:
        """Colors by label, of all labels that are named or occur."""
        named = label_colors(self.names or self.found())
        return {label: named.get(label, UNLABELLED) for label in sorted({*self.found(), *named})}

    def legend(self) -> dict[int, tuple[str, str]]:
        """Name and color by label, of all labels where those named are few, else of those that occur."""
        shown = {*self.found(), *(self.names if len(self.names) <= len(FEW) else ())}
        colors = self.colors()
        return {label: (self.label_name(label), colors[label]) for label in shown}

    def thinned(self, max_points: int) -> ShownCloud:
        """The cloud with at most so many of its points, drawn at random but always the same ones."""
        if len(self.points) <= max_points:
            return self
        kept = np.sort(np.random.default_rng(0).choice(len(self.points), max_points, replace=False))
        labels = {name: labels[kept] for name, labels in self.labels.items()}
        return replace(self, points=self.points[kept], labels=labels)

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
        raise InvalidValueError('there is no cloud to draw; give at least one.')
    several = max(len(cloud.panels) for cloud in clouds)
    columns = several if several > 1 else min(COLUMNS, len(cells))
    rows = -(-len(cells) // columns)
    legend = dict(sorted({entry for cloud in clouds for entry in cloud.legend().items()}))
    scale = max(cloud.look.scale for cloud in clouds)
    width = scale * CELL_WIDTH * columns
    legend_columns = max(1, int(width / LEGEND_WIDTH))
    figure = new_figure(width, scale * CELL_HEIGHT * rows + LEGEND_HEIGHT * -(-len(legend) // legend_columns))
    with_heading = several > 1 and len(clouds) == 1
    for cell, (cloud, panel) in enumerate(cells):
        axes = figure.add_subplot(rows, columns, cell + 1)
        _draw_panel(axes, cloud, panel)
        title = panel if with_heading else f'{cloud.heading}\n{panel}'.strip()
        axes.set_title(literal(title), fontsize=TITLE_SIZE, color=cloud.title_color)
    if with_heading:
        figure.suptitle(literal(clouds[0].heading), fontsize=HEADING_SIZE, color=clouds[0].title_color)
    if legend:
        _draw_legend(figure, list(legend.values()), legend_columns)
    return figure


def _draw_legend(figure: Figure, entries: Sequence[tuple[str, str]], columns: int) -> None:
    """Draw dots with the names of their labels below everything."""
    dots = [Line2D([], [], linestyle='', marker='o', color=color) for _, color in entries]
    style = dict(ncols=columns, fontsize=TITLE_SIZE, frameon=False)
    draw_legend(figure, dots, [name for name, _ in entries], loc='outside lower center', **style)


def _draw_panel(axes: Axes, cloud: ShownCloud, panel: str) -> None:
    """Draw a panel of a cloud."""
    labels, boxes, box_labels = (given.get(panel) for given in (cloud.labels, cloud.boxes, cloud.box_labels))
    draw_cloud(
        axes,
        upright(cloud.points, cloud.up),
        None if labels is None else shades(labels, cloud.colors()),
        edges=None if boxes is None else upright(box_edges(boxes, cloud.up), cloud.up),
        edge_colors=None if box_labels is None else shades(box_labels, cloud.colors()),
        marker_size=min(cloud.look.marker_size, INK / max(len(cloud.points), 1)),
        elevation=cloud.look.elevation,
    )
