"""Compare configs by cost: ``python tools/analysis_tools/benchmark.py [CONFIG ...] [--json FILE]``.

The first config is the baseline. Times are medians of interleaved repeats in one process, so that a noisy machine
disturbs all alike; memory is the peak above the idle process, each config in a process of its own. Detectors get
rooms of their training set. What is printed is JSON: the machine, why its times may be doubted, absolute numbers per
config with the spread of the times, and ratios to the baseline.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from point_peft.cli.arguments import check_output
from point_peft.cli.conditions import add_conditions, conditions_of
from point_peft.cli.tool import run_tool
from point_peft.experiments.costs import measure_costs, ratios
from point_peft.experiments.machine import Machine

DEFAULT_CONFIGS = (
    'configs/full/pointmae_scanobjnn.py',
    'linear_probe/pointmae_scanobjnn',
    'configs/point_peft/pointmae_scanobjnn.py',
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Compare training step, inference, memory and FLOPs of configs'
    )
    parser.add_argument(
        'configs', nargs='*', default=list(DEFAULT_CONFIGS), help='configs; the first is the baseline'
    )
    add_conditions(parser)
    parser.add_argument('--json', help='file to write the result to')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Measure everything and print JSON."""
    conditions = conditions_of(args)
    if args.json:
        check_output(args.json, '--json')
    machine = Machine.now(args.device)
    rows = measure_costs(args.configs, conditions)
    doubts = machine.doubts(rows)
    result = json.dumps(
        {
            'settings': asdict(conditions),
            'machine': asdict(machine),
            'doubts': doubts,
            'absolute': rows,
            'ratios_to_first': ratios(rows, args.configs[0]),
        },
        indent=1,
    )
    if args.json:
        Path(args.json).parent.mkdir(parents=True, exist_ok=True)
        Path(args.json).write_text(result + '\n')
    print(result)
    for doubt in doubts:
        print(f'warning: {doubt}', file=sys.stderr)


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
