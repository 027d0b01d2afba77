"""Curves of a training, from the ``scalars.json`` that MMEngine writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..io.errors import InvalidValueError, MissingFileError
from ..io.text import label, printable
from .figure import draw_legend, new_figure

Curve = list[tuple[float, float]]
"""Points (step, value) in the order of the steps."""

WIDTH, HEIGHT = 6.0, 4.0
"""Inches of a picture of curves."""


def plot_curves(curves: Mapping[str, Curve], *, x_label: str, y_label: str) -> Figure:
    """Draw curves into one pair of axes.

    Args:
        curves (Mapping[str, Curve]): Curves by the name that the legend shows.
        x_label (str): What the steps are.
        y_label (str): What the values are, with their unit.

    Raises:
        ValueError: There is no curve, or one has no points.
    """
    if not curves or not all(curves.values()):
        empty = [name for name, curve in curves.items() if not curve]
        raise InvalidValueError(
            f'curves without points: {empty or "all, none were given"}; train at least one epoch.'
        )
    figure = new_figure(WIDTH, HEIGHT)
    axes = figure.add_subplot()
    lines: list[Line2D] = []
    for name, curve in curves.items():
        steps, values = zip(*curve)
        lines += axes.plot(steps, values, marker='o', markersize=3, label=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(label(x_label))
    axes.set_ylabel(label(y_label))
    axes.grid(alpha=0.3)
    draw_legend(axes, lines, list(curves))
    return figure


def read_curve(path: str | Path, name: str) -> Curve:
    """Read one quantity of a training.

    Args:
        path (str | Path): ``<work dir>/<time>/vis_data/scalars.json``: one JSON object per line.
        name (str): Quantity, such as ``loss`` (step = iteration) or ``overall_accuracy`` (step = epoch).

    Returns:
        Curve: Its values by step.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no such log, or does not have the quantity; names those it has.
    """
    path = Path(path)
    entries = _read_entries(path)
    curve = [(entry['step'], entry[name]) for entry in entries if name in entry]
    if not curve:
        known = sorted({key for entry in entries for key in entry} - {'step'})
        raise InvalidValueError(
            f"'{printable(path)}' has no '{printable(name)}'; it has {printable(', '.join(known) or 'nothing')}."
        )
    return curve


def step_unit(path: str | Path, name: str) -> str:
    """What the steps of a quantity are: ``iteration`` for what training steps log, else ``epoch``.

    Args:
        path (str | Path): As for :func:`read_curve`.
        name (str): Quantity.
    """
    logged = [entry for entry in _read_entries(Path(path)) if name in entry]
    return 'iteration' if any('iter' in entry for entry in logged) else 'epoch'


def _read_entries(path: Path) -> list[dict]:
    """The lines of a log, each with its step."""
    if not path.is_file():
        raise MissingFileError(
            f"'{printable(path)}' does not exist; give the vis_data/scalars.json of a training."
        )
    try:
        entries = [dict(json.loads(line)) for line in path.read_text().splitlines() if line.strip()]
        return [{**entry, 'step': entry['step']} for entry in entries]
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidValueError(
            f"'{printable(path)}' is not a log of one JSON object with a step per line ({printable(error)})."
        ) from error
