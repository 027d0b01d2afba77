"""How costs grow with one size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from ..engine.config import OptionText
from ..io.text import label as literal
from ..visualization import new_figure
from ..visualization.figure import draw_legend
from .contestant import Conditions
from .costs import Costs, measure_costs
from .plots import HEIGHT, LEGEND_WIDTH, MARKERS, WIDTH

SIZES = ('batch_size', 'num_points', 'bank_size', 'threads')
"""Fields of :class:`Conditions` that can grow."""

PROCESSES = 'processes'
"""A size that is measured on its own, by ``measure_processes``."""

FILES = 'files'
"""Another one, by ``measure_folders``."""

LEAST_SPAN = 10
"""Pictures go over a factor of ten at least, so that costs which do not grow look flat, whatever their noise."""

TITLES = {
    'train_step_s': 'seconds of a step',
    'infer_s': 'of inference',
    'peak_mb': 'MB of training',
    'infer_peak_mb': 'of inference',
    'train_step_gflops': 'GFLOPs of a step',
    'infer_gflops': 'of inference',
    'train_step_ops': 'operations of a step',
    'infer_ops': 'of inference',
}
"""Columns of the table; GFLOPs are those of one cloud."""

DRAWN = {'train_step_s': 'seconds of a training step', 'peak_mb': 'MB of training'}
"""Pictures, side by side."""


@dataclass(frozen=True)
class Growth:
    """Costs at several values of one size.

    Attributes:
        size (str): What grows: one of ``SIZES``, or a key of the config.
        values (Sequence[int]): From small to large.
        costs (Mapping[str, Sequence[Costs]]): By config, one of each value.
        titles (Mapping[str, str]): Columns of the table.
        drawn (Mapping[str, str]): Pictures, side by side.
    """

    size: str
    values: Sequence[int]
    costs: Mapping[str, Sequence[Costs]]

    titles: ClassVar[Mapping[str, str]] = TITLES
    drawn: ClassVar[Mapping[str, str]] = DRAWN

    def exponents(self) -> dict[str, Costs]:
        """Exponent of every cost by config: the slope of its logarithm against that of the size, by least squares.

        Doubling the size multiplies a cost of exponent 1 by two and one of exponent 2 by four. What is zero somewhere
        has none and is left out.
        """
        return {
            config: {
                key: _slope(self.values, [row[key] for row in rows])
                for key in self.titles
                if all(row[key] > 0 for row in rows)
            }
            for config, rows in self.costs.items()
        }

    def table(self) -> str:
        """A Markdown table for each config, with the exponents in its last row."""
        parts = []
        exponents = self.exponents()
        for config, rows in self.costs.items():
            lines = [
                f'`{config}`\n',
                f'| {" | ".join([self.size, *self.titles.values()])} |',
                f'|{" ---: |" * (len(self.titles) + 1)}',
            ]
            for value, row in zip(self.values, rows):
                lines.append(f'| {" | ".join([str(value), *(_number(row[key]) for key in self.titles)])} |')
            slopes = (
                f'{exponents[config][key]:.2f}' if key in exponents[config] else '' for key in self.titles
            )
            lines.append(f'| {" | ".join(["exponent", *slopes])} |')
            parts.append('\n'.join(lines) + '\n')
        return '\n'.join(parts)

    def picture(self) -> Figure:
        """What is ``drawn`` against the size, both logarithmic, with the exponents."""
        figure = new_figure(WIDTH * len(self.drawn) + LEGEND_WIDTH, HEIGHT)
        axes = figure.subplots(1, len(self.drawn), squeeze=False)[0]
        exponents = self.exponents()
        for place, (key, name) in zip(axes, self.drawn.items()):
            for number, (config, rows) in enumerate(self.costs.items()):
                slope = exponents[config].get(key)
                place.plot(
                    self.values,
                    [row[key] for row in rows],
                    marker=MARKERS[number % len(MARKERS)],
                    label='' if slope is None else f'exponent {slope:.2f}',
                )
            place.set(xscale='log', yscale='log', xlabel=literal(self.size), ylabel=name)
            low, high = place.get_ylim()
            wider = max(1.0, LEAST_SPAN / (high / low)) ** 0.5
            place.set_ylim(low / wider, high * wider)
            place.legend(fontsize=7)
        draw_legend(figure, axes[0].lines, list(self.costs), fontsize=8, loc='outside right upper')
        return figure


def measure_growth(
    configs: Sequence[str],
    conditions: Conditions,
    options: Mapping[str, str],
    size: str,
    values: Sequence[int],
) -> Growth:
    """Measure configs at every value of a size.

    Args:
        configs (Sequence[str]): Config files or names.
        conditions (Conditions): What holds for all values.
        options (Mapping): ``--cfg-options``, texts.
        size (str): One of ``SIZES``, or a key of the config.
        values (Sequence[int]): Its values.
    """
    measured = []
    for value in sorted(values):
        changed: dict[str, Any] = {size: value}
        if size in SIZES:
            measured.append(measure_costs(configs, replace(conditions, **changed), options))
        else:
            measured.append(measure_costs(configs, conditions, {**options, size: OptionText(value)}))
    return Growth(size, sorted(values), {config: [costs[config] for costs in measured] for config in configs})


def _slope(sizes: Sequence[float], costs: Sequence[float]) -> float:
    return round(float(np.polyfit(np.log(sizes), np.log(costs), 1)[0]), 4) + 0.0  # no negative zero


def _number(value: float) -> str:
    """Three digits, and all of what is larger."""
    return f'{value:,.0f}'.replace(',', ' ') if value >= 100 else f'{value:.3g}'
