"""Write an adapter and its base weights as one file.

``python tools/model_converters/join_adapter.py CONFIG ADAPTER OUT``
"""

from __future__ import annotations

import argparse
import sys

from point_peft.apis import init_model
from point_peft.cli.arguments import check_output, file_or_url, path
from point_peft.cli.tool import add_config_options, run_tool
from point_peft.engine.checkpoint import describe_checkpoint, full_state
from point_peft.engine.config import load_config
from point_peft.io.weights import OWN_KEY, check_finite, save_checkpoint


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Write an adapter and its base weights as one file')
    parser.add_argument('config', help='config the adapter was trained with')
    parser.add_argument('adapter', type=file_or_url, help='checkpoint of that training')
    parser.add_argument('out', type=path, help='file to write, .safetensors or .pth')
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Build the model with base weights, adapter and memory bank, and write everything."""
    check_output(args.out, 'the file to write')
    cfg = load_config(args.config, args.cfg_options)
    model = init_model(cfg, args.adapter)
    state = full_state(model)
    check_finite(state, f'{args.adapter} with its base weights')
    save_checkpoint(args.out, state, {OWN_KEY: describe_checkpoint(model, 'full'), 'cfg': cfg.pretty_text})
    print(f'{args.out}: {len(state)} tensors, {args.out.stat().st_size / 1e6:.1f} MB')


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
