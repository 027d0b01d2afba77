"""Pictures of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..io.text import label as literal
from ..visualization import new_figure
from ..visualization.figure import draw_legend
from .report import MethodRow, SettingReport

WIDTH, HEIGHT = 5.2, 4.0
"""Inches of each of the pictures side by side."""

LEGEND_WIDTH = 2.2
"""Inches beside them."""

MARKERS = 'osD^vP*Xh'
"""Nine for ten colours, so that ninety methods differ in one or the other."""


def plot_report(reports: Sequence[SettingReport], *, title: str) -> Figure:
    """Accuracy against trained parameters, against training time, and, with several settings, by setting.

    Bars are standard deviations over the draws.

    Args:
        reports (Sequence[SettingReport]): The settings; the first two pictures show the last one, which has most labels
            where settings are numbers of labels.
        title (str): What is compared.
    """
    several = len(reports) > 1
    figure = new_figure(WIDTH * (2 + several) + LEGEND_WIDTH, HEIGHT)
    figure.suptitle(literal(title))
    axes = figure.subplots(1, 2 + several, squeeze=False)[0]
    shown = reports[-1]
    _scatter(axes[0], shown, [row.trained for row in shown.rows], 'trained parameters')
    axes[0].set_xscale('log')
    _scatter(axes[1], shown, [row.seconds for row in shown.rows], 'seconds of training')
    if several:
        _by_setting(axes[2], reports)
    drawn = [row.method for row in shown.rows if row.accuracy[shown.compared] is not None]
    draw_legend(figure, axes[0].containers, drawn, fontsize=8, loc='outside right upper')
    return figure


def _scatter(axes: Axes, report: SettingReport, places: Sequence[float | None], label: str) -> None:
    """One marker per method."""
    for index, (row, x) in enumerate(zip(report.rows, places)):
        value = row.accuracy[report.compared]
        if value is not None and x is not None:
            marker = MARKERS[index % len(MARKERS)]
            axes.errorbar(x, value[0], yerr=value[1] or 0.0, fmt=marker, capsize=3)
    axes.set_xlabel(label)
    axes.set_ylabel(f'accuracy, {report.compared.replace("_", " ")} (%)')
    axes.set_title(literal(report.setting), fontsize=9)


def _by_setting(axes: Axes, reports: Sequence[SettingReport]) -> None:
    """One line per method over the settings."""
    names = [literal(report.setting) for report in reports]
    for index in range(len(reports[0].rows)):
        means, spreads = np.array([_mean(report.rows[index], report.compared) for report in reports]).T
        axes.errorbar(
            names,
            means,
            yerr=spreads,
            marker=MARKERS[index % len(MARKERS)],
            capsize=3,
        )
    axes.tick_params(axis='x', rotation=30)
    axes.set_ylabel('accuracy (%)')


def _mean(row: MethodRow, key: str) -> tuple[float, float]:
    value = row.accuracy[key]
    return (np.nan, np.nan) if value is None else (value[0], value[1] or 0.0)
