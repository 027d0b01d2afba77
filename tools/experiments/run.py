"""Train every cell of a comparison and say what they show together: ``python tools/experiments/run.py MATRIX``.

The same command again goes on where it was interrupted; a finished comparison is only reported again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from point_peft.engine.arguments import path
from point_peft.engine.checkpoint import write_atomically
from point_peft.engine.cli import add_config_options, run_tool
from point_peft.engine.errors import ConfigError
from point_peft.experiments import (
    CellRunner,
    Matrix,
    Records,
    load_matrix,
    markdown_report,
    plot_report,
    prepare_cell,
    summarize,
)
from point_peft.experiments.records import FILE_NAME
from point_peft.visualization import save_figure

TRAIN = Path(__file__).resolve().parents[1] / 'train.py'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Train all cells of a comparison and report them')
    parser.add_argument('matrix', type=path, help='matrix file, such as tools/experiments/labels.py')
    parser.add_argument('--work-dir', type=path, help='default: work_dirs/experiments/MATRIX')
    parser.add_argument('--jobs', type=int, help='trainings at once on the CPU, or per GPU (default: 1)')
    parser.add_argument(
        '--devices', nargs='+', metavar='DEVICE', help='cpu, or numbers of GPUs (default: all GPUs, else cpu)'
    )
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Check everything, choose among candidates, train, and report."""
    if args.jobs is not None and args.jobs < 1:
        raise ConfigError(f'--jobs {args.jobs} runs nothing; give at least 1.')
    matrix = load_matrix(args.matrix, args.cfg_options)
    root = args.work_dir or Path('work_dirs/experiments') / args.matrix.stem
    devices = find_devices(args.devices) * (args.jobs or 1)
    records = Records(root)
    runner = CellRunner(records, metric=matrix.metric, tool=TRAIN, devices=devices)
    pairs = [(setting, method) for setting in matrix.settings for method in matrix.methods]
    tuning = {pair: [prepare_cell(cell, root) for cell in matrix.tuning_cells(*pair)] for pair in pairs}
    for pair in (
        pairs if matrix.candidates else ()
    ):  # a mistake in the last cell shows before the first is trained
        prepare_cell(matrix.cells(*pair, chosen={})[-1], root)
    runner.run([run for runs in tuning.values() for run in runs])
    chosen = {pair: choose(matrix, runs, records) for pair, runs in tuning.items() if runs}
    runs = [
        prepare_cell(cell, root)
        for pair in pairs
        for cell in matrix.cells(*pair, chosen=chosen.get(pair, {}))
    ]
    runner.run(runs)
    entries = [entry for run in runs if (entry := records.find(run)) is not None]
    report(matrix, entries, chosen, root)


def find_devices(wanted: Sequence[str] | None) -> list[str]:
    """Devices to train on.

    Raises:
        ConfigError: A device is not there.
    """
    import torch

    available = [str(index) for index in range(torch.cuda.device_count())]
    for device in wanted or ():
        if device != 'cpu' and device not in available:
            known = ' or '.join(['cpu', *available])
            raise ConfigError(f'--devices {device} is not there; give {known}.')
    return list(wanted or available or ['cpu'])


def choose(matrix: Matrix, runs: Sequence[Any], records: Records) -> Mapping[str, Any]:
    """The candidate with the best accuracy on validation; the first of equals.

    Raises:
        ConfigError: The config has no validation split to choose on.
    """
    scores = [entry['val'] for run in runs if (entry := records.find(run)) is not None]
    if any(score is None for score in scores):
        raise ConfigError(
            f'{runs[0].cell.config} is not validated, so nothing can be chosen; give it a val_dataloader, or leave the '
            "matrix's candidates out."
        )
    return matrix.candidates[max(range(len(scores)), key=lambda index: (scores[index], -index))]


def report(
    matrix: Matrix,
    entries: Sequence[Mapping[str, Any]],
    chosen: Mapping[tuple[str, str], Mapping[str, Any]],
    root: Path,
) -> None:
    """Write table, numbers and picture, and print the table."""
    reports = summarize(matrix, entries, chosen)
    text = markdown_report(matrix, reports)
    write_atomically(root / 'table.md', text.encode())
    write_atomically(root / 'report.json', json.dumps([asdict(part) for part in reports], indent=1).encode())
    save_figure(plot_report(reports, title=matrix.title), root / 'picture.png')
    print(text)
    print(f'{len(entries)} runs; {root} holds table.md, report.json, picture.png and {FILE_NAME}')


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
