"""Compare configs by cost: ``python tools/analysis_tools/benchmark.py [CONFIG ...] [--json FILE]``.

The first config is the baseline. Times are medians of interleaved repeats in one process, so that a noisy machine
disturbs all alike; memory is the peak above the idle process, each config in a process of its own; FLOPs, operations
and those that make the host wait for a device are counted. Detectors get rooms of their training set. What is printed
is JSON: the machine, why its times may be doubted, absolute numbers per config with the spread of the times, and ratios
to the baseline.

With ``--grow SIZE VALUE VALUE ...`` every config is measured at each value, and tables with the growth exponents are
printed (docs/performance.md). ``--grow processes 1 2 4`` measures data-parallel training with as many processes on this
machine instead: the time of a step, what of it is communication, and the bytes that are exchanged. ``--grow files 100
1000 10000`` measures folders of as many random clouds as training sets: opening them, memory, and taking clouds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from point_peft.cli.arguments import check_output, path
from point_peft.cli.conditions import GrowingSize, add_conditions, conditions_of
from point_peft.cli.tool import add_config_options, run_tool
from point_peft.experiments.costs import Costs, measure_costs, ratios
from point_peft.experiments.folders import measure_folders
from point_peft.experiments.growth import FILES, PROCESSES, SIZES, Growth, measure_growth
from point_peft.experiments.machine import Machine, Measurement
from point_peft.experiments.processes import measure_processes
from point_peft.io.atomic import write_atomically
from point_peft.io.errors import ConfigError
from point_peft.visualization import save_figure

DEFAULT_CONFIGS = (
    'configs/full/pointmae_scanobjnn.py',
    'linear_probe/pointmae_scanobjnn',
    'configs/point_peft/pointmae_scanobjnn.py',
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Compare time, memory, FLOPs and operations of training step and inference of configs'
    )
    parser.add_argument(
        'configs', nargs='*', default=list(DEFAULT_CONFIGS), help='configs; the first is the baseline'
    )
    add_conditions(parser)
    add_config_options(parser)
    parser.add_argument(
        '--grow',
        nargs='+',
        action=GrowingSize,
        metavar=('SIZE', 'VALUE'),
        help=f'measure at several values of {", ".join(SIZES)}, or of a key of the config, e.g. batch_size 1 2 4 8 or '
        'model.backbone.num_groups 64 128 256; or of data-parallel training with processes 1 2 4 on this machine, '
        'or of folders as training sets with files 100 1000 10000',
    )
    parser.add_argument('--json', type=path, help='file to write the result to')
    parser.add_argument('--picture', type=path, help='file for a picture of the growth, e.g. growth.png')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Measure everything, print it and write it.

    Raises:
        ConfigError: There is no growth to draw, or a file cannot be written.
    """
    if args.picture and not args.grow:
        raise ConfigError('--picture draws how costs grow; give --grow, too.')
    conditions = conditions_of(args)
    for flag in ('json', 'picture'):
        if getattr(args, flag):
            check_output(getattr(args, flag), f'--{flag}')
    settings = {**asdict(conditions), 'cfg_options': args.cfg_options}
    measurement = Measurement()
    if not args.grow:
        rows = measure_costs(args.configs, conditions, args.cfg_options)
        found = {'absolute': rows, 'ratios_to_first': ratios(rows, args.configs[0])}
        print(_finish(args, settings, measurement, [rows], found))
        return
    size, values = args.grow
    if size == PROCESSES:
        growth: Growth = measure_processes(args.configs, conditions, args.cfg_options, values)
    elif size == FILES:
        growth = measure_folders(args.configs, conditions, args.cfg_options, values)
    else:
        growth = measure_growth(args.configs, conditions, args.cfg_options, size, values)
    by_value = [dict(zip(growth.costs, rows)) for rows in zip(*growth.costs.values())]
    _finish(args, settings, measurement, by_value, {**asdict(growth), 'exponents': growth.exponents()})
    if args.picture:
        save_figure(growth.picture(), args.picture)
    print(growth.table())


def _finish(
    args: argparse.Namespace,
    settings: Mapping[str, Any],
    measurement: Measurement,
    measured: Sequence[Mapping[str, Costs]],
    found: Mapping[str, Any],
) -> str:
    """Write the JSON of what was found, warn where it may be doubted, and return it."""
    machine = Machine.of(measurement, args.device)
    doubts = list(dict.fromkeys(doubt for rows in measured for doubt in machine.doubts(rows)))
    result = json.dumps(
        {'settings': settings, 'machine': asdict(machine), 'doubts': doubts, **found}, indent=1
    )
    if args.json:
        write_atomically(args.json, f'{result}\n'.encode())
    for doubt in doubts:
        print(f'warning: {doubt}', file=sys.stderr)
    return result


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
