"""What methods cost: ``python tools/analysis_tools/compare_methods.py [METHOD ...] [--on BACKBONE_TASK]``.

Methods are the names of configs/_base_/methods (all by default); all are measured in one run on the same backbone, task
and batch, and shown as ratios to full fine-tuning. Writes ``methods.md``, ``methods.json``, and ``methods.png``: costs,
and accuracy against them where ``--results`` names the directory of a finished comparison (docs/experiments.md).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from point_peft.cli.arguments import path
from point_peft.cli.conditions import add_conditions, conditions_of
from point_peft.cli.tool import run_tool
from point_peft.engine.config import load_config
from point_peft.engine.config.names import part_files
from point_peft.experiments.cost_report import accuracies, cost_table, plot_costs
from point_peft.experiments.costs import measure_costs, ratios
from point_peft.experiments.machine import Machine, Measurement
from point_peft.io.atomic import write_atomically
from point_peft.io.errors import ConfigError
from point_peft.visualization import save_figure

REFERENCE = 'full'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Costs of tuning methods as ratios to full fine-tuning')
    parser.add_argument('methods', nargs='*', metavar='METHOD', help='default: all')
    parser.add_argument(
        '--on', default='pointmae_scanobjnn', help='backbone and task (default: pointmae_scanobjnn)'
    )
    parser.add_argument('--results', type=path, help='directory of a comparison, for accuracies')
    parser.add_argument(
        '--out', type=path, default=Path('work_dirs/methods'), help='directory for the results'
    )
    add_conditions(parser)
    return parser.parse_args()


def _goes(method: str, args: argparse.Namespace) -> bool:
    """Whether a method goes with backbone and task; of all methods those that do not are left out with a word.

    Raises:
        PointPEFTError: One that was named does not, or there is no such backbone or task.
    """
    try:
        load_config(f'{method}/{args.on}')
    except ConfigError as error:
        if args.methods or method == REFERENCE:
            raise
        print(f'{method} is left out: {error}')
        return False
    return True


def main(args: argparse.Namespace) -> None:
    """Measure the methods and write table, JSON and picture."""
    conditions = conditions_of(args)
    known = sorted(part_files('method'))
    methods = [REFERENCE, *(name for name in args.methods or known if name != REFERENCE)]
    unknown = [name for name in methods if name not in known]
    if unknown:
        raise ConfigError(f"there is no method '{unknown[0]}'; there are {', '.join(known)}.")
    found = accuracies(args.results) if args.results else {}
    names = {f'{method}/{args.on}': method for method in methods if _goes(method, args)}
    measurement = Measurement()
    costs = {names[config]: row for config, row in measure_costs(list(names), conditions).items()}
    machine = Machine.of(measurement, args.device)
    doubts = machine.doubts(costs)
    relative = ratios(costs, REFERENCE)
    table = cost_table(costs, relative, conditions, args.on, found)
    result = {
        'on': args.on,
        'settings': asdict(conditions),
        'machine': asdict(machine),
        'doubts': doubts,
        'absolute': costs,
        'ratios': relative,
        'accuracy': found,
    }
    write_atomically(args.out / 'methods.md', table.encode())
    write_atomically(args.out / 'methods.json', json.dumps(result, indent=1).encode())
    save_figure(plot_costs(relative, costs, found, title=f'Methods on {args.on}'), args.out / 'methods.png')
    print(table)
    print(f'{args.out} holds methods.md, methods.json and methods.png')
    for doubt in doubts:
        print(f'warning: {doubt}', file=sys.stderr)


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
