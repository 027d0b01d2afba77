"""Write an adapter and its base weights as one file.

``python tools/model_converters/join_adapter.py CONFIG ADAPTER OUT``

The frozen weights are those of the pre-trained file to the bit, also where the config stores them rounded in memory
(``frozen_dtype``).
"""

from __future__ import annotations

import argparse
import sys
from copy import deepcopy

import torch
from mmengine.config import Config
from torch import nn

from point_peft.apis import init_model
from point_peft.cli.arguments import check_output, file_or_url, path
from point_peft.cli.tool import add_config_options, run_tool
from point_peft.engine.checkpoint import describe_checkpoint, full_state
from point_peft.engine.config import load_config, walk_dicts
from point_peft.io.errors import CheckpointError
from point_peft.io.weights import OWN_KEY, check_finite, load_checkpoint_file, save_checkpoint
from point_peft.io.weights.names import unwrap_state_dict


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
    model = init_model(_without_rounding(cfg), args.adapter)
    _refuse_rounded(model, args.adapter)
    state = full_state(model)
    check_finite(state, f'{args.adapter} with its base weights')
    save_checkpoint(args.out, state, {OWN_KEY: describe_checkpoint(model, 'full'), 'cfg': cfg.pretty_text})
    print(f'{args.out}: {len(state)} tensors, {args.out.stat().st_size / 1e6:.1f} MB')


def _without_rounding(cfg: Config) -> Config:
    """The config of the same network with all weights as they are loaded; that of the training is what is noted."""
    cfg = deepcopy(cfg)
    for _, node in walk_dicts(cfg.model):
        if 'frozen_dtype' in node:
            node['frozen_dtype'] = None
    return cfg


def _refuse_rounded(model: nn.Module, file: str) -> None:
    """Refuse what gives the model weights that were rounded.

    Raises:
        CheckpointError: The file is no adapter but a whole model that stored its frozen weights in bfloat16.
    """
    own, given = model.state_dict(), unwrap_state_dict(load_checkpoint_file(file))
    for name, value in given.items():
        if name in own and value.dtype == torch.bfloat16 != own[name].dtype:
            raise CheckpointError(
                f'{file} is a complete checkpoint that has {name} rounded to bfloat16, so that the joined file would '
                'not have the pre-trained weights; give the adapter of that training.'
            )


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
