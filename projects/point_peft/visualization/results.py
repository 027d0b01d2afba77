"""One picture of a comparison of methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..text import label
from .clouds import CELL_HEIGHT, CELL_WIDTH, draw_clouds
from .curves import Curve, draw_curves
from .figure import new_figure
from .palette import RIGHT, WRONG

COLUMNS = 6
"""Clouds in a row."""

CHART_HEIGHT = 3.6
"""Inches for curves and bars."""

TEXT_SIZE, HEADING_SIZE = 8, 10
"""Points of the bars' labels and of the heading."""

LABEL_SPACE = 0.2
"""Room above a bar of 100 % for its label."""


@dataclass(frozen=True)
class MethodResult:
    """What a comparison shows of one method.

    Attributes:
        name (str): Name of the method.
        trainable_parameters (int): Parameters that were trained.
        test_accuracy (float): Accuracy on the test set after the last epoch, in percent.
        val_curve (Curve): Accuracy on the validation split by epoch, in percent.
    """

    name: str
    trainable_parameters: int
    test_accuracy: float
    val_curve: Curve


def plot_results(
    results: Sequence[MethodResult],
    *,
    clouds: Sequence[np.ndarray],
    predicted: Sequence[str],
    true: Sequence[str],
    title: str,
) -> Figure:
    """Draw clouds with predicted and true class above, curves and bars of the methods below.

    Args:
        results (Sequence[MethodResult]): The methods, in the order of the bars.
        clouds (Sequence[np.ndarray]): Some test clouds (N, 3).
        predicted (Sequence[str]): Predicted class of each cloud.
        true (Sequence[str]): True class of each cloud.
        title (str): What made the predictions.

    Raises:
        ValueError: There is no method or no cloud, or the lists differ in length.
    """
    if len(predicted) != len(true):
        raise ValueError(
            f'{len(predicted)} predicted classes came with {len(true)} true ones; give one for each.'
        )
    rows = -(-len(clouds) // COLUMNS)
    heights = [CELL_HEIGHT * rows, CHART_HEIGHT]
    figure = new_figure(CELL_WIDTH * COLUMNS, sum(heights))
    grid = figure.add_gridspec(2, 1, height_ratios=heights)
    top, bottom = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    top.suptitle(label(title), fontsize=HEADING_SIZE)
    draw_clouds(
        top,
        clouds,
        [p if p == t else f'{p}\n(true: {t})' for p, t in zip(predicted, true)],
        title_colors=[RIGHT if p == t else WRONG for p, t in zip(predicted, true)],
        columns=COLUMNS,
    )
    left, right = bottom.subplots(1, 2)
    draw_curves(
        left,
        {result.name: result.val_curve for result in results},
        x_label='epoch',
        y_label='accuracy on validation (%)',
    )
    _draw_bars(right, results)
    return figure


def _draw_bars(axes: Axes, results: Sequence[MethodResult]) -> None:
    """Accuracy of every method as a bar, with the number of its trained parameters."""
    bars = axes.bar(
        range(len(results)),
        [result.test_accuracy for result in results],
        color=[f'C{index}' for index in range(len(results))],
    )
    labels = [f'{result.test_accuracy:.1f} %\n{result.trainable_parameters:,d} trained' for result in results]
    axes.set_xticks(range(len(results)), [label(result.name) for result in results])
    axes.bar_label(bars, labels, padding=2, fontsize=TEXT_SIZE)
    axes.set_ylabel('accuracy on test, last epoch (%)')
    axes.set_ylim(0, 100 * (1 + LABEL_SPACE))
    axes.set_yticks(range(0, 101, 20))
