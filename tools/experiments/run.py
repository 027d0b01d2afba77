"""Train every cell of a comparison and say what they show together: ``python tools/experiments/run.py MATRIX``.

The same command again goes on where it was interrupted; a finished comparison is only reported again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from point_peft.cli.arguments import at_least, path
from point_peft.cli.tool import add_config_options, run_tool
from point_peft.experiments import compare, find_devices, load_matrix

TRAIN = Path(__file__).resolve().parents[1] / 'train.py'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Train all cells of a comparison and report them')
    parser.add_argument('matrix', type=path, help='matrix file, such as tools/experiments/labels.py')
    parser.add_argument('--work-dir', type=path, help='default: work_dirs/experiments/MATRIX')
    parser.add_argument(
        '--settings', nargs='+', metavar='SETTING', help='run and report these settings alone, for now'
    )
    parser.add_argument(
        '--jobs', type=at_least(1), default=1, help='trainings at once on the CPU, or per GPU (default: 1)'
    )
    parser.add_argument(
        '--devices', nargs='+', metavar='DEVICE', help='cpu, or numbers of GPUs (default: all GPUs, else cpu)'
    )
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Train what is missing, and print the report."""
    matrix = load_matrix(args.matrix, args.cfg_options)
    if args.settings:
        matrix = matrix.only(args.settings)
    root = args.work_dir or Path('work_dirs/experiments') / args.matrix.stem
    compare(matrix, root, tool=TRAIN, devices=find_devices(args.devices) * args.jobs)
    print((root / 'table.md').read_text())
    print(f'{root} holds table.md, report.json, picture.png and a line per run in results.jsonl')


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
