"""Convert published checkpoints.

usage: python tools/model_converters/convert_official.py SRC DST [--prior P] [--memory-bank M]

The kind is detected from the tensor names, official ones or those of the torch-pointcloud collection. DST (``.pth``
or ``.safetensors``) holds the tensors under this project's names; a report says which were used, skipped and missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from point_peft.cli.arguments import check_output, path
from point_peft.cli.tool import run_tool
from point_peft.converters import Conversion, convert_checkpoint
from point_peft.converters.published import OFFICIAL
from point_peft.io.weights import (
    OWN_KEY,
    check_finite,
    load_checkpoint_file,
    load_tensor_file,
    save_checkpoint,
)
from point_peft.io.weights.names import unwrap_state_dict


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Convert a published checkpoint')
    parser.add_argument(
        'src', type=path, help='published file: pre-trained or fine-tuned, plain or Point-PEFT'
    )
    parser.add_argument('dst', type=path, help='file to write (.pth or .safetensors)')
    parser.add_argument(
        '--prior',
        type=path,
        help='Point-PEFT: the file of its frozen prior, Point-MAE or Point-M2AE, pre-trained',
    )
    parser.add_argument(
        '--memory-bank',
        type=path,
        help="Point-PEFT: the published bank, a (C, N) tensor ('train_f_pos_shape_scan.pt')",
    )
    return parser.parse_args()


def report(conversion: Conversion) -> None:
    """Print what happened to every tensor."""
    print(f'kind: {conversion.kind} (for {conversion.config})')
    if conversion.naming != OFFICIAL:
        print(f'naming: {conversion.naming}')
    for title, names in (
        ('used', conversion.used),
        ('skipped', conversion.skipped),
        ('missed', conversion.missed),
    ):
        print(f'{title}: {len(names)} tensors{_listing(names) if title != "used" else ""}')


def main(args: argparse.Namespace) -> None:
    """Read, convert, report, write."""
    check_output(args.dst, 'the file to write')
    conversion = convert_checkpoint(
        _tensors(args.src),
        source=str(args.src),
        prior=_tensors(args.prior) if args.prior else None,
        memory_bank=load_tensor_file(args.memory_bank) if args.memory_bank else None,
    )
    report(conversion)
    check_finite(conversion.state_dict, str(args.src))
    meta = {OWN_KEY: {'format': 'full', 'kind': conversion.kind, 'source': Path(args.src).name}}
    save_checkpoint(args.dst, conversion.state_dict, meta)
    print(f'wrote {args.dst}')


def _tensors(file: Path) -> Mapping[str, Tensor]:
    return unwrap_state_dict(load_checkpoint_file(file))


def _listing(names: list[str]) -> str:
    """The names, one line each, behind the count."""
    return ''.join(f'\n  {name}' for name in names)


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
