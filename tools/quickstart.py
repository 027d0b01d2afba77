"""Tune the shipped mini backbone in three ways on scans with few labels, and compare: ``bash tools/quickstart.sh``.

The comparison is ``tools/experiments/quickstart.py``; it takes less than five minutes on two CPU cores. The same
command again goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from rich.box import SIMPLE_HEAD
from rich.table import Table

from point_peft.apis import init_model
from point_peft.cli.arguments import at_least
from point_peft.cli.arguments import path as path_argument
from point_peft.cli.tool import add_config_options, run_tool
from point_peft.experiments import Matrix, MethodRow, compare, find_devices, load_matrix, prepare_cell
from point_peft.io.progress import plain_console
from point_peft.io.text import printable
from point_peft.registry import DATASETS
from point_peft.visualization import plot_shown, save_figure, show_sample

TOOLS = Path(__file__).resolve().parent
MATRIX = TOOLS / 'experiments' / 'quickstart.py'

SHOWN, FULL = 'Point-PEFT', 'full fine-tuning'
"""Method whose predictions are drawn, and the one that its time is compared with."""

NUM_CLOUDS = 12
"""Test clouds in the picture."""

TITLES = ('method', 'trained\nparameters', 'test accuracy, %', 'seconds of\ntraining', 'MB per\ntask')

WHAT_IT_SHOWS = (
    'Scans with 10 labels per class, {draws} draws. The backbone is small and was pre-trained on whole objects of '
    'these classes among others; how the methods compare on real objects is in docs/benchmarks.md.'
)
"""Said under the table."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Compare three ways of tuning on scans with few labels')
    parser.add_argument(
        '--work-dir', type=path_argument, default=Path('work_dirs/quickstart'), help='where to write'
    )
    parser.add_argument(
        '--jobs',
        type=at_least(1),
        help='trainings at once (default: one per core, four at most, or one per GPU)',
    )
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Train what is missing, and show it."""
    started = time.monotonic()
    matrix = load_matrix(MATRIX, args.cfg_options)
    devices = find_devices()
    jobs = args.jobs or (min(os.cpu_count() or 1, 4) if devices == ['cpu'] else 1)
    (report,) = compare(matrix, args.work_dir, tool=TOOLS / 'train.py', devices=devices * jobs)
    draw(matrix, args.work_dir)
    show(matrix, report.rows)
    print(
        f'done in {time.monotonic() - started:.0f} s; {printable(args.work_dir)} holds the table, picture.png'
    )
    print(
        'and predictions.png. Next: your own clouds with configs/_base_/datasets/folder.py (docs/datasets.md)'
    )


def show(matrix: Matrix, rows: Sequence[MethodRow]) -> None:
    """Print the table, narrow enough for a terminal of 80 columns, and what it means."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=matrix.title)
    for number, title in enumerate(TITLES):
        table.add_column(title, justify='right' if number else 'left', no_wrap=True)
    for row in rows:
        table.add_row(*table_cells(row))
    console = plain_console()
    console.print(table)
    for sentence in (
        WHAT_IT_SHOWS.format(draws=len(matrix.draws)),
        why_slower({row.method: row for row in rows}),
    ):
        console.print(sentence)


def table_cells(row: MethodRow) -> list[str]:
    """The cells of a method, in the order of :data:`TITLES`."""
    mean, spread = row.accuracy['last'] or (float('nan'), None)
    return [
        row.method,
        f'{row.trained:,d}',
        f'{mean:.1f}' if spread is None else f'{mean:.1f} +- {spread:.1f}',
        '' if row.seconds is None else f'{row.seconds:.0f}',
        '' if row.adapter_mb is None else f'{row.adapter_mb:.2f}',
    ]


def why_slower(rows: Mapping[str, MethodRow]) -> str:
    """Why a method that trains less takes longer here, if it does."""
    tuned, full = rows[SHOWN].seconds, rows[FULL].seconds
    if tuned is None or full is None or tuned <= full:
        return ''
    return (
        f"{SHOWN} took {tuned / full:.1f} times full fine-tuning's time: its prompt first looks at each cloud with the "
        'frozen network, which weighs more in a small network than the gradients that it saves.'
    )


def draw(matrix: Matrix, work_dir: Path) -> None:
    """Draw ``predictions.png``: clouds spread over the test set, as the first draw's network classifies them."""
    (setting,) = matrix.settings
    run = prepare_cell(matrix.cells(setting, SHOWN, chosen={})[0], work_dir)
    config = Config.fromfile(run.config_file)
    model = init_model(config, os.fsdecode((run.work_dir / 'last_checkpoint').read_bytes()).strip())
    dataset = DATASETS.build(config.test_dataloader.dataset)
    index = np.unique(np.linspace(0, len(dataset) - 1, NUM_CLOUDS).round().astype(int))
    items = [dataset[int(i)] for i in index]
    points = [item['inputs']['points'] for item in items]
    with torch.no_grad():
        samples = model.test_step(
            dict(inputs=dict(points=points), data_samples=[item['data_samples'] for item in items])
        )
    shown = [show_sample(sample, cloud, dataset.metainfo) for sample, cloud in zip(samples, points)]
    save_figure(plot_shown(shown), work_dir / 'predictions.png')


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
