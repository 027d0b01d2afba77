"""Publish a pre-trained encoder as a small safetensors file.

usage: python tools/model_converters/publish_model.py CHECKPOINT OUT.safetensors [--half]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from point_peft.cli.arguments import check_output, path
from point_peft.cli.tool import run_tool
from point_peft.io.errors import CheckpointError
from point_peft.io.weights import check_finite, load_checkpoint_file, save_checkpoint
from point_peft.io.weights.names import strip_prefix, unwrap_state_dict

ENCODER = 'MAE_encoder.'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Keep the encoder of a masked autoencoder, as safetensors')
    parser.add_argument('checkpoint', type=path, help='checkpoint of a configs/pretrain run')
    parser.add_argument('out', type=path, help='.safetensors file to write')
    parser.add_argument(
        '--half', action='store_true', help='store 16-bit floats: half the size, read as 32-bit ones'
    )
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Read, keep the encoder, write."""
    check_output(args.out, 'the file to write')
    checkpoint = load_checkpoint_file(args.checkpoint)
    state = strip_prefix(unwrap_state_dict(checkpoint), ENCODER)
    if not state:
        raise CheckpointError(
            f'{args.checkpoint} has no tensors under {ENCODER!r}; give a checkpoint of configs/pretrain.'
        )
    check_finite(state, str(args.checkpoint))
    if args.half:
        state = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
        check_finite(state, f'{args.checkpoint} as 16-bit floats')
    meta = checkpoint.get('meta') or {}
    provenance = {
        key: meta[key] for key in ('epoch', 'seed', 'experiment_name', 'dataset_meta') if key in meta
    }
    save_checkpoint(
        args.out, state, {'provenance': {**provenance, 'dataset_meta': str(provenance.get('dataset_meta'))}}
    )
    print(f'wrote {len(state)} tensors, {Path(args.out).stat().st_size / 2**20:.2f} MB, to {args.out}')


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
