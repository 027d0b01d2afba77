"""Print a config with everything it inherits: ``python tools/misc/print_config.py CONFIG``."""

from __future__ import annotations

import argparse
import sys

from point_peft.cli.tool import add_config_options, run_tool
from point_peft.engine.config import load_config
from point_peft.engine.config.check import check_config
from point_peft.engine.config.origin import origins


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Print a config with everything it inherits')
    parser.add_argument('config', help='config file, or name METHOD/BACKBONE_TASK')
    parser.add_argument('--origin', action='store_true', help='print each value with the file that says so')
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Print the config, and check it for typos."""
    cfg = load_config(args.config, args.cfg_options)
    if args.origin:
        for place, value, origin in origins(args.config, cfg):
            print(f'{place} = {value!r}  # {origin}')
    else:
        print(cfg.pretty_text)
    check_config(cfg)


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
