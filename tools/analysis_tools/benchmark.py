"""Compare configs by cost: ``python tools/analysis_tools/benchmark.py [CONFIG ...] [--json FILE]``.

The first config is the baseline. Times are medians of interleaved repeats in one process, so that a noisy machine
disturbs all alike; memory is the peak above the idle process, each config in a process of its own. Detectors get
rooms of their training set. What is printed last is JSON: absolute numbers per config, and ratios to the baseline.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, fields
from pathlib import Path

import torch

from point_peft.cli.arguments import at_least, check_output, device
from point_peft.cli.tool import run_tool
from point_peft.engine.runtime.device import check_device
from point_peft.experiments.contestant import Conditions
from point_peft.experiments.costs import measure_costs, ratios

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
    parser.add_argument('--batch-size', type=at_least(1), default=8)
    parser.add_argument(
        '--num-points', type=at_least(1), default=2048, help='of random clouds; rooms have their own'
    )
    parser.add_argument('--bank-size', type=at_least(1), default=11392, help='clouds in the memory bank')
    parser.add_argument('--repeats', type=at_least(1), default=7)
    parser.add_argument('--threads', type=at_least(1), default=2)
    parser.add_argument('--device', type=device, default='cpu')
    parser.add_argument('--json', help='file to write the result to')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Measure everything and print JSON."""
    args.device = check_device(args.device)
    if args.json:
        check_output(args.json, '--json')
    conditions = Conditions(**{field.name: getattr(args, field.name) for field in fields(Conditions)})
    rows = measure_costs(args.configs, conditions)
    result = json.dumps(
        {
            'settings': asdict(conditions),
            'torch': torch.__version__,
            'absolute': rows,
            'ratios_to_first': ratios(rows, args.configs[0]),
        },
        indent=1,
    )
    if args.json:
        Path(args.json).parent.mkdir(parents=True, exist_ok=True)
        Path(args.json).write_text(result + '\n')
    print(result)


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
