"""Write an adapter and its base weights as one file.

``python tools/model_converters/merge_adapter.py CONFIG ADAPTER OUT``
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmengine.config import DictAction
from mmengine.registry import init_default_scope

from point_peft.engine.checkpoint import (
    META_KEY,
    describe_checkpoint,
    full_state,
    load_weights,
    save_checkpoint,
)
from point_peft.engine.cli import run_tool
from point_peft.engine.config import load_config
from point_peft.engine.config_check import check_config
from point_peft.registry import MODELS


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Merge an adapter with its base weights')
    parser.add_argument('config', help='config the adapter was trained with')
    parser.add_argument('adapter', help='checkpoint of that training')
    parser.add_argument('out', type=Path, help='file to write, .safetensors or .pth')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='change the config',
    )
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Build the model, load base weights and adapter, and write everything."""
    cfg = load_config(args.config, args.cfg_options)
    check_config(cfg)
    init_default_scope(cfg.get('default_scope', 'point_peft'))
    model = MODELS.build(cfg.model)
    print(load_weights(model, args.adapter))
    state = full_state(model)
    save_checkpoint(args.out, state, {META_KEY: describe_checkpoint(model, 'full'), 'cfg': cfg.pretty_text})
    print(f'{args.out}: {len(state)} tensors, {args.out.stat().st_size / 1e6:.1f} MB')


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
