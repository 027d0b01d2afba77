"""The files of a classifier's test: picture of confusions and classes, page of the worst mistakes, tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..evaluation.class_report import ClassReport, Prediction
from ..io.atomic import write_atomically
from ..io.rows import write_rows
from ..io.text import label
from .figure import new_figure, save_figure
from .page import write_page
from .shown import ShownCloud

SIDE, SIDE_PER_CLASS = 3.2, 0.3
"""Inches of the matrix: what the names take, and a class."""

BARS_WIDTH = 5.0
"""Inches of the table with its bars."""

FONT = 8

MOST_NUMBERS = 40
"""Classes up to which every field of the matrix has its number; more would be too small to read."""

MISTAKES = 'mistakes.html'

MOST_MISTAKES = 24
"""Clouds on the page."""


def write_class_report(
    report: ClassReport,
    out_dir: Path,
    *,
    cloud_of: Callable[[Prediction], np.ndarray],
    title: str,
    about: Mapping[str, Any] | None = None,
) -> list[str]:
    """Write ``report.json``, ``report.png``, ``predictions.csv`` and, if there are mistakes, ``mistakes.html``.

    Args:
        report (ClassReport): The predictions.
        out_dir (Path): Directory, made if need be.
        cloud_of (Callable): Gives the cloud (N, 3) of a prediction.
        title (str): What is reported on.
        about (Mapping | None): More to keep in ``report.json``.

    Returns:
        list[str]: Names of the files.
    """
    content = json.dumps({**(about or {}), **report.to_dict()}, indent=1)
    write_atomically(out_dir / 'report.json', content.encode())
    write_rows(out_dir / 'predictions.csv', report.to_rows())
    save_figure(plot_class_report(report, title=title), out_dir / 'report.png')
    names = ['report.json', 'report.png', 'predictions.csv']
    mistakes = report.mistakes()[:MOST_MISTAKES]
    if not mistakes:
        (out_dir / MISTAKES).unlink(missing_ok=True)  # of an earlier test
        return names
    shown = [show_prediction(one, cloud_of(one), report.classes) for one in mistakes]
    write_page(shown, out_dir / MISTAKES, title=f'worst mistakes: {title}')
    return [*names, MISTAKES]


def show_prediction(prediction: Prediction, cloud: np.ndarray, classes: Sequence[str]) -> ShownCloud:
    """A cloud with its file, its true and its predicted class in the title."""
    place = Path(prediction.source)
    found = f'{classes[prediction.predicted]} ({100 * prediction.probability:.0f} %)'
    lines = (f'{place.parent.name}/{place.name}', f'true: {classes[prediction.truth]}', f'predicted: {found}')
    return ShownCloud('\n'.join(lines), cloud, right=prediction.predicted == prediction.truth)


def plot_class_report(report: ClassReport, *, title: str) -> Figure:
    """Draw the confusions and, beside them, a line per class with what is found and how surely that is known."""
    side = SIDE + SIDE_PER_CLASS * len(report.classes)
    figure = new_figure(side + BARS_WIDTH, side)
    matrix, bars = figure.subplots(1, 2, width_ratios=(side, BARS_WIDTH))
    _draw_matrix(matrix, report)
    _draw_classes(bars, report)
    share = report.accuracy
    figure.suptitle(
        label(
            f'{title}\n{share.percent:.1f} % of {len(report.predictions)} objects right, 95 % interval '
            f'{share.low:.1f} to {share.high:.1f}'
        ),
        fontsize=FONT + 2,
    )
    return figure


def _draw_matrix(axes: Axes, report: ClassReport) -> None:
    """The confusions: colors in percent of the true class, numbers of objects."""
    counts = report.matrix
    percent = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(percent, cmap='Blues', vmin=0, vmax=100)
    names = [label(name) for name in report.classes]
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=FONT)
    axes.set_yticks(range(len(names)), names, fontsize=FONT)
    axes.set_xlabel('predicted class', fontsize=FONT)
    axes.set_ylabel('true class', fontsize=FONT)
    for row, column in zip(*np.nonzero(counts)) if len(names) <= MOST_NUMBERS else ():
        color = 'white' if percent[row, column] > 50 else 'black'
        axes.text(
            column, row, str(counts[row, column]), ha='center', va='center', color=color, fontsize=FONT - 1
        )


def _draw_classes(axes: Axes, report: ClassReport) -> None:
    """A line per class, at the height of its row in the matrix."""
    for row, share in enumerate(report.recalls):
        objects = int(report.matrix[row].sum())
        text = f'{int(report.matrix[row, row])} of {objects}'
        if objects:
            axes.plot([share.low, share.high], [row, row], color='steelblue', linewidth=4, alpha=0.4)
            axes.plot([share.percent], [row], color='steelblue', marker='o', markersize=5)
        precision = report.precisions[row].percent
        text += '' if np.isnan(precision) else f', precision {precision:.0f} %'
        axes.text(104, row, text, va='center', fontsize=FONT - 1)
    axes.set_xlim(-2, 160)
    axes.set_xticks(range(0, 101, 25))
    axes.set_ylim(len(report.classes) - 0.5, -0.5)
    axes.set_yticks(range(len(report.classes)), [label(name) for name in report.classes], fontsize=FONT)
    axes.set_xlabel('found, % of the true class, with 95 % intervals', fontsize=FONT)
    axes.tick_params(labelsize=FONT)
    axes.grid(axis='x', alpha=0.3)
