"""Print a config with everything it inherits: ``python tools/misc/print_config.py CONFIG``."""

from __future__ import annotations

import argparse
import sys

from point_peft.engine.cli import add_config_options, run_tool
from point_peft.engine.config import load_config
from point_peft.engine.config_check import check_config


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Print a config with everything it inherits')
    parser.add_argument('config', help='config file')
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Print the config, and check it for typos."""
    cfg = load_config(args.config, args.cfg_options)
    print(cfg.pretty_text)
    check_config(cfg)


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
