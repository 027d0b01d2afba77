"""Draw a curve of trainings: ``python tools/analysis_tools/analyze_logs.py WORK_DIR ... [--key loss]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from point_peft.cli.arguments import check_output, path
from point_peft.cli.tool import run_tool
from point_peft.io.errors import MissingFileError
from point_peft.io.text import printable
from point_peft.visualization import plot_curves, read_curve, save_figure, step_unit


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw a curve of one or several trainings')
    parser.add_argument('work_dirs', nargs='+', type=path, metavar='WORK_DIR', help='of the trainings')
    parser.add_argument(
        '--key',
        default='overall_accuracy',
        help='loss, lr, overall_accuracy (validation, the default), test/overall_accuracy ...',
    )
    parser.add_argument('--out', type=path, default=Path('curves.png'), help='picture (default: curves.png)')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Read the newest log of each training and draw all in one picture."""
    check_output(args.out, '--out')
    logs = {str(work_dir): newest_log(work_dir) for work_dir in args.work_dirs}
    curves = {name: read_curve(log, args.key) for name, log in logs.items()}
    units = {step_unit(log, args.key): None for log in logs.values()}
    save_figure(plot_curves(curves, x_label=' or '.join(units), y_label=args.key), args.out)
    print(printable(args.out))


def newest_log(work_dir: Path) -> Path:
    """The ``scalars.json`` of the last start of a training.

    Raises:
        MissingFileError: There is none.
    """
    logs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    if not logs:
        raise MissingFileError(
            f"'{printable(work_dir)}' has no */vis_data/scalars.json; give the work dir of a training."
        )
    return logs[-1]


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
