"""What the runs of a comparison say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .cells import ROWS
from .matrix import Matrix
from .statistics import LEVEL, Interval, mean_and_spread, paired_difference

TITLES = (
    'method',
    'trained parameters',
    'last',
    'best on val',
    'best on test (never used)',
    'difference',
    f'{LEVEL} % interval',
    'seconds',
    'MB',
)

OTHER_TASK = ('before', 'after', 'refitted')
"""What ``ForgettingHook`` measures, where a matrix has it."""


@dataclass(frozen=True)
class MethodRow:
    """A method in a setting.

    Attributes:
        method (str): Its name.
        trained (int): Trained parameters.
        accuracy (Mapping): Mean and standard deviation by ``last``, ``best_on_val``, ``best_on_test``, in percent; None
            where that was not measured.
        difference (Interval | None): Against the reference, within draws; None for itself and for a single draw.
        seconds (float | None): Training time without evaluation and memory bank, mean.
        adapter_mb (float | None): Size of what is stored per task, memory bank included.
        chosen (Mapping | None): The candidate that validation chose.
        other_task (Mapping | None): Mean and standard deviation of the accuracies of :class:`ForgettingHook`.
    """

    method: str
    trained: int
    accuracy: Mapping[str, tuple[float, float | None] | None]
    difference: Interval | None
    seconds: float | None
    adapter_mb: float | None
    chosen: Mapping[str, Any] | None = None
    other_task: Mapping[str, tuple[float, float | None] | None] | None = None


@dataclass(frozen=True)
class SettingReport:
    """All methods in a setting.

    Attributes:
        setting (str): Its name.
        compared (str): Which accuracy the differences are of.
        draws (int): Number of draws.
        rows (Sequence[MethodRow]): One per method, in the order of the matrix.
    """

    setting: str
    compared: str
    draws: int
    rows: Sequence[MethodRow]


def summarize(
    matrix: Matrix, entries: Sequence[Mapping[str, Any]], chosen: Mapping[tuple[str, str], Mapping[str, Any]]
) -> list[SettingReport]:
    """Average finished runs.

    Args:
        matrix (Matrix): The comparison.
        entries (Sequence[Mapping]): Records of all its reported runs.
        chosen (Mapping): Changes that validation chose, by setting and method.
    """
    reports = []
    for setting in matrix.reported:
        by_method = {
            method: [entry for entry in entries if (entry['setting'], entry['method']) == (setting, method)]
            for method in matrix.methods
        }
        reference = [entry[matrix.compared] for entry in by_method[matrix.reference]]
        rows = []
        for method, found in by_method.items():
            others = None if method == matrix.reference else reference
            rows.append(_row(method, found, matrix.compared, others, chosen.get((setting, method))))
        reports.append(SettingReport(setting, matrix.compared, len(matrix.draws), rows))
    return reports


def markdown_report(matrix: Matrix, reports: Sequence[SettingReport]) -> str:
    """Tables in Markdown, one per setting, with what the numbers are."""
    budget = (
        f"Each method's settings were chosen among the same {len(matrix.candidates)} candidates, by one run each on "
        f'the validation split{"" if matrix.chosen_in is None else f" of {matrix.chosen_in!r}"}.'
        if matrix.candidates
        else 'All methods have the settings of their configs; nothing was tuned here.'
    )
    differences = (
        f'Differences are to {matrix.reference}, within draws, with their bootstrap interval, which is too narrow for '
        'few draws; * where it leaves zero out. '
        if len(matrix.methods) > 1
        else ''
    )
    lines = [
        f'# {matrix.title}\n',
        f'Mean +- standard deviation over {len(matrix.draws)} draws ({", ".join(matrix.draws)}), in percent. '
        f'{differences}Seconds: training alone. MB: stored per task, memory bank included. '
        f'{budget}\n',
    ]
    for report in reports:
        if report.setting:
            lines.append(f'## {report.setting}\n')
        has_other = any(row.other_task for row in report.rows)
        titles = (*TITLES, *(f'other task {name}' for name in OTHER_TASK if has_other))
        lines += [_line(titles), _line(['---', *['---:'] * (len(titles) - 1)])]
        lines += [_line([*_cells(row), *_other_cells(row, has_other)]) for row in report.rows]
        lines.append(f'\nDifferences are of: {report.compared.replace("_", " ")}.')
        lines += [f'{row.method}: {dict(row.chosen)}' for row in report.rows if row.chosen]
        lines.append('')
    return '\n'.join(lines)


def _row(
    method: str,
    entries: Sequence[Mapping[str, Any]],
    compared: str,
    reference: Sequence[float] | None,
    chosen: Mapping[str, Any] | None,
) -> MethodRow:
    accuracy = {key: _average([entry[key] for entry in entries]) for key in ROWS}
    seconds = _average([entry['train_seconds'] for entry in entries])
    sizes = [entry['adapter_mb'] for entry in entries]
    stored = (
        None if None in sizes else max(entry['adapter_mb'] + (entry['fitted_mb'] or 0.0) for entry in entries)
    )
    difference = (
        None if reference is None else paired_difference([entry[compared] for entry in entries], reference)
    )
    others = [entry['other_task'] for entry in entries if entry.get('other_task')]
    return MethodRow(
        method,
        entries[0]['trainable_parameters'],
        accuracy,
        difference,
        seconds and seconds[0],
        stored,
        chosen,
        {key: _average([other[key] for other in others]) for key in OTHER_TASK} if others else None,
    )


def _average(values: Sequence[float | None]) -> tuple[float, float | None] | None:
    """Mean and spread; None if a value is missing."""
    present = [value for value in values if value is not None]
    return mean_and_spread(present) if present and len(present) == len(values) else None


def _cells(row: MethodRow) -> list[str]:
    """The texts of a row, in the order of :data:`TITLES`."""
    found = row.difference
    return [
        row.method,
        f'{row.trained:,d}'.replace(',', ' '),
        *(_number(row.accuracy[key]) for key in ROWS),
        '' if found is None else f'{found.mean:+.2f}{"*" if found.is_significant else ""}',
        '' if found is None else f'{found.low:+.2f} to {found.high:+.2f}',
        '' if row.seconds is None else f'{row.seconds:.0f}',
        '' if row.adapter_mb is None else f'{row.adapter_mb:.2f}',
    ]


def _other_cells(row: MethodRow, shown: bool) -> list[str]:
    """The accuracies of the other task, where the table has them."""
    if not shown:
        return []
    return [_number(row.other_task[key]) if row.other_task else '' for key in OTHER_TASK]


def _number(value: tuple[float, float | None] | None) -> str:
    if value is None:
        return ''
    mean, spread = value
    return f'{mean:.2f}' if spread is None else f'{mean:.2f} +- {spread:.2f}'


def _line(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'
