"""A comparison from its matrix to its report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from ..engine.runtime.work_dir import check_work_dir, locked_work_dir
from ..io.atomic import write_atomically
from ..io.errors import ConfigError
from ..visualization import save_figure
from .cells import CellRun, prepare_cell
from .matrix import Matrix
from .plots import plot_report
from .records import Records
from .report import SettingReport, markdown_report, summarize
from .runner import CellRunner

Pair = tuple[str, str]
"""A setting and a method."""


def compare(
    matrix: Matrix,
    root: Path,
    *,
    tool: Path,
    devices: Sequence[str],
    check: Callable[[CellRun], None] | None = None,
) -> list[SettingReport]:
    """Train every cell that has no record yet, and leave records, table and picture in a directory.

    Everything is checked before the first training. What was interrupted is resumed.

    Args:
        matrix (Matrix): The comparison.
        root (Path): Its directory.
        tool (Path): ``tools/train.py``.
        devices (Sequence[str]): One entry per process: ``cpu``, or the number of a GPU.
        check (Callable | None): Looks at each reported run that is not finished, before the first run is trained.

    Returns:
        list[SettingReport]: What the trainings say together, in the order of the matrix's settings.

    Raises:
        PointPEFTError: A config has a mistake, the directory holds something else, or a training failed.
    """
    check_work_dir(root)
    pairs = [(setting, method) for setting in matrix.reported for method in matrix.methods]
    choosing = {pair: (matrix.tuned_in(pair[0]), pair[1]) for pair in pairs}
    tuning = {
        pair: [prepare_cell(cell, root) for cell in matrix.tuning_cells(*pair)]
        for pair in dict.fromkeys(choosing.values())
    }
    found = _known_choices(matrix, tuning, Records(root))
    pending = {pair: tried for pair, tried in tuning.items() if tried and pair not in found}
    runs = {
        pair: [prepare_cell(cell, root) for cell in matrix.cells(*pair, chosen=found.get(choosing[pair], {}))]
        for pair in pairs
    }
    for run in chain(*runs.values()):  # a mistake in the last cell shows before the first is trained
        if check is not None and run.result(matrix.metric) is None:
            check(run)
    with locked_work_dir(root):
        records = Records(root)
        runner = CellRunner(records, metric=matrix.metric, tool=tool, devices=devices)
        runner.run(list(chain(*pending.values())))
        found |= {pair: choose(matrix, tried, records) for pair, tried in pending.items()}
        chosen = {pair: found[choosing[pair]] for pair in pairs if choosing[pair] in found}
        for pair, options in chosen.items():
            if choosing[pair] in pending:  # these were only checked, since nothing was chosen yet
                runs[pair] = [prepare_cell(cell, root) for cell in matrix.cells(*pair, chosen=options)]
        reported = list(chain(*runs.values()))
        runner.run(reported)
        reports = summarize(matrix, [records.lines[run.cell.name] for run in reported], chosen)
        write_report(matrix, reports, root)
    return reports


def _known_choices(
    matrix: Matrix, tuning: Mapping[Pair, Sequence[CellRun]], records: Records
) -> dict[Pair, Mapping[str, Any]]:
    """What was chosen where all candidates have been tried already."""
    return {
        pair: choose(matrix, tried, records)
        for pair, tried in tuning.items()
        if tried and all(records.find(run) is not None for run in tried)
    }


def choose(matrix: Matrix, runs: Sequence[CellRun], records: Records) -> Mapping[str, Any]:
    """The candidate with the best accuracy on validation; the first of equals.

    Raises:
        ConfigError: The config has no validation split to choose on.
    """
    scores = [records.lines[run.cell.name]['val'] for run in runs]
    if any(score is None for score in scores):
        raise ConfigError(
            f'{runs[0].cell.config} is not validated, so nothing can be chosen; give it a val_dataloader, or leave the '
            "matrix's candidates out."
        )
    return matrix.candidates[max(range(len(scores)), key=lambda index: (scores[index], -index))]


def write_report(matrix: Matrix, reports: Sequence[SettingReport], root: Path) -> None:
    """Write ``table.md``, ``report.json`` and ``picture.png``."""
    write_atomically(root / 'table.md', markdown_report(matrix, reports).encode())
    write_atomically(root / 'report.json', json.dumps([asdict(part) for part in reports], indent=1).encode())
    save_figure(plot_report(reports, title=matrix.title), root / 'picture.png')
