"""Costs of methods beside each other, and their accuracies where a comparison has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..io.errors import ConfigError, MissingFileError
from ..io.text import label as literal
from ..visualization import new_figure
from ..visualization.figure import draw_legend
from .contestant import Conditions
from .costs import Costs
from .plots import MARKERS
from .records import FILE_NAME, Records
from .statistics import mean_and_spread

Accuracies = Mapping[str, tuple[float, float | None]]
"""Mean and standard deviation in percent by method."""

TITLES = {
    'trainable': 'trained parameters',
    'adapter_mb': 'adapter MB',
    'bank_mb': 'bank MB',
    'train_step_gflops': 'GFLOPs of a step',
    'infer_gflops': 'of inference',
    'train_step_ops': 'operations of a step',
    'infer_ops': 'of inference',
    'train_step_s': 'time of a step',
    'infer_s': 'of inference',
    'peak_mb': 'memory of training',
    'infer_peak_mb': 'of inference',
}
"""Columns: sizes as they are, the others as ratios."""

ABSOLUTE = ('trainable', 'adapter_mb', 'bank_mb')


def accuracies(folder: Path) -> Accuracies:
    """Accuracies after the last epoch that a finished comparison has, by the name of the method's part.

    Args:
        folder (Path): Its directory; a method is known by its config, ``METHOD/BACKBONE_TASK``.

    Raises:
        MissingFileError: There is no ``results.jsonl``.
        ConfigError: It has several settings, whose accuracies are not to be mixed.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        raise MissingFileError(f"'{path}' does not exist; give the directory of a comparison that was run.")
    entries = [entry for entry in Records(folder).lines.values() if entry['candidate'] is None]
    settings = sorted({entry['setting'] for entry in entries})
    if len(settings) > 1:
        raise ConfigError(
            f"'{path}' has the settings {', '.join(settings)}; give a comparison with one setting."
        )
    found: dict[str, list[float]] = {}
    for entry in entries:
        found.setdefault(Path(entry['config']).parent.name, []).append(entry['last'])
    return {method: mean_and_spread(values) for method, values in found.items()}


def cost_table(
    costs: Mapping[str, Costs],
    relative: Mapping[str, Costs],
    conditions: Conditions,
    place: str,
    found: Accuracies,
) -> str:
    """A Markdown table with a row per method.

    Args:
        costs (Mapping[str, Costs]): By method, the reference first.
        relative (Mapping[str, Costs]): The same as ratios.
        conditions (Conditions): What they were measured with.
        place (str): Backbone and task.
        found (Mapping): Accuracies of some methods.
    """
    reference = next(iter(costs))
    titles = ['method', *TITLES.values(), *(['accuracy, %'] if found else [])]
    lines = [
        f'`{place}`, batch {conditions.batch_size}, {conditions.num_points} points, {conditions.device}, '
        f'{conditions.threads} threads, {conditions.dtype}; bank of {conditions.bank_size} clouds. Sizes as they are, '
        f'all else as ratios to `{reference}` in one run.\n',
        f'| {" | ".join(titles)} |',
        f'| --- {"| ---: " * (len(titles) - 1)}|',
    ]
    for method, row in costs.items():
        cells = [_cell(key, row, relative[method]) for key in TITLES]
        if found:
            cells.append(_accuracy(found.get(method)))
        lines.append(f'| {" | ".join([method, *cells])} |')
    return '\n'.join(lines) + '\n'


def plot_costs(
    relative: Mapping[str, Costs], costs: Mapping[str, Costs], found: Accuracies, *, title: str
) -> Figure:
    """Trained parameters against the time of a step; with accuracies, accuracy against both.

    Args:
        relative (Mapping[str, Costs]): Costs as ratios by method.
        costs (Mapping[str, Costs]): Costs by method.
        found (Mapping): Accuracies of some methods.
        title (str): What was measured.
    """
    figure = new_figure(11.0, 4.6)
    figure.suptitle(literal(title))
    axes = figure.subplots(1, 2)
    trained = {method: row['trainable'] for method, row in costs.items()}
    time = {method: row['train_step_s'] for method, row in relative.items()}
    memory = {method: row['peak_mb'] for method, row in relative.items()}
    accuracy = {method: value[0] for method, value in found.items() if method in costs}
    for place, across, name in (
        (axes[0], trained, 'trained parameters'),
        (axes[1], time, 'time of a step / full'),
    ):
        upright = accuracy or (time if place is axes[0] else memory)
        _scatter(place, across, upright)
        place.set_xlabel(name)
        place.set_ylabel(
            'accuracy (%)' if accuracy else 'time of a step / full' if place is axes[0] else 'memory / full'
        )
    axes[0].set_xscale('log')
    shown = [method for method in costs if not accuracy or method in accuracy]
    draw_legend(axes[1], axes[1].collections, shown, fontsize=7, loc='center left', bbox_to_anchor=(1.0, 0.5))
    return figure


def _scatter(axes: Axes, across: Mapping[str, float], upright: Mapping[str, float]) -> None:
    """One marker per method that has both numbers."""
    for number, (method, x) in enumerate(across.items()):
        if method in upright:
            axes.scatter([x], [upright[method]], marker=MARKERS[number % len(MARKERS)], s=42)


def _cell(key: str, row: Costs, relative: Costs) -> str:
    if key == 'trainable':
        return f'{int(row[key]):,d}'.replace(',', ' ')
    return f'{row[key]:.2f}' if key in ABSOLUTE else f'{relative[key]:.2f}'


def _accuracy(value: tuple[float, float | None] | None) -> str:
    if value is None:
        return ''
    mean, spread = value
    return f'{mean:.1f}' if spread is None else f'{mean:.1f} ± {spread:.1f}'
