"""Write a classifier or part segmentor as a program: ``python tools/deployment/export.py NAME CHECKPOINT --onnx FILE``.

The file takes points (B, N, 3) as they come out of the preparation that is printed, and gives logits (B, classes). That
of a part segmentor takes the category of every object too, (B,) int64, and gives logits (B, N, parts).
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from point_peft.apis import init_model
from point_peft.apis.answers import class_names
from point_peft.apis.prediction import preparation_for_files
from point_peft.cli.arguments import at_least, check_output, file_or_url, path
from point_peft.cli.tool import add_config_options, run_tool
from point_peft.deployment import ExportError, compare_with_onnx, export_program, inputs_for, write_onnx
from point_peft.engine.config import load_config
from point_peft.io.atomic import write_atomically
from point_peft.io.errors import ConfigError
from point_peft.models import PartSegmentor

BATCHES = (2, 5, 8)
"""Sizes that a file is compared on."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Export a classifier or part segmentor to ONNX or as a program of torch.export'
    )
    parser.add_argument('config', help='name or file of the config, as for tools/train.py')
    parser.add_argument('checkpoint', type=file_or_url, help='checkpoint or adapter')
    parser.add_argument('--onnx', type=path, metavar='FILE', help='ONNX file to write')
    parser.add_argument(
        '--torch-export', type=path, metavar='FILE', help='program of torch.export to write (.pt2)'
    )
    parser.add_argument(
        '--num-points', type=at_least(1), help='points of each cloud (default: as the config tests)'
    )
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Export, compare, and say what the file expects."""
    if not (args.onnx or args.torch_export):
        raise ConfigError('nothing to write; give --onnx FILE or --torch-export FILE.')
    for flag, file in (('--onnx', args.onnx), ('--torch-export', args.torch_export)):
        if file is not None:
            check_output(file, flag)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope('point_peft')
    model = init_model(cfg, args.checkpoint, device='cpu')
    num_points = args.num_points or _num_points(cfg)
    program = export_program(model, num_points)
    normalize = preparation_for_files(cfg).normalize or 'none'
    clouds = _clouds(num_points)
    about = dict(names_of(model, clouds[0]), num_points=num_points, normalize=normalize, config=args.config)
    if args.torch_export:
        _write_program(program, args.torch_export)
        loaded = program.module()
        with torch.inference_mode():
            given = [inputs_for(model, batch) for batch in clouds]
            off = max(
                float((loaded(*inputs.values()) - model(inputs, mode='tensor')).abs().max())
                for inputs in given
            )
        print(f'{args.torch_export}: torch.export, logits differ by {off:.1e} from the model')
    if args.onnx:
        write_onnx(program, args.onnx, about)
        try:
            found = compare_with_onnx(model, args.onnx, clouds)
        except ExportError:
            args.onnx.unlink()
            raise
        print(
            f'{args.onnx}: {args.onnx.stat().st_size / 1e6:.1f} MB, logits differ by {found.difference:.1e} from '
            'the model; '
            f'{found.batch} clouds take {found.file_seconds * 1e3:.0f} ms in ONNX Runtime and '
            f'{found.seconds * 1e3:.0f} ms in PyTorch here ({torch.get_num_threads()} threads)'
        )
    points = f'points (B, {num_points}, 3) float32, normalised: {normalize}'
    if 'parts_per_category' in about:
        counts = about['parts_per_category']
        output = f'logits (B, {num_points}, {sum(counts)})'
        print(f'inputs: {points}; category (B,) int64 below {len(counts)}; output: {output}')
    else:
        print(f'input: {points}; output: logits (B, {len(about["classes"])})')


def names_of(model: nn.Module, points: Tensor) -> dict[str, Any]:
    """What the numbers of the output are: names of classes; or of categories, of parts and how many each category has.

    Args:
        model (nn.Module): A classifier or part segmentor.
        points (Tensor): Some clouds (B, N, 3).
    """
    meta = getattr(model, 'dataset_meta', {})
    if isinstance(model, PartSegmentor):
        parts = model.head.parts_per_category
        named = dict(classes=class_names(meta, len(parts)), parts_per_category=list(parts))
        return named | (dict(parts=list(meta['parts'])) if 'parts' in meta else {})
    with torch.inference_mode():
        num_classes = model({'points': points}, mode='tensor').shape[1]
    return dict(classes=class_names(meta, num_classes))


def _num_points(cfg: Any) -> int:
    """Points of a cloud in a test.

    Raises:
        ConfigError: The config does not say.
    """
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    found = (cfg.get('data_preprocessor') or {}).get('num_points') or dataset.get('num_points')
    if not found:
        raise ConfigError(f'{cfg.filename} does not say how many points a cloud has; give --num-points.')
    return int(found)


def _clouds(num_points: int) -> list[Tensor]:
    """Batches in the unit sphere."""
    generator = torch.Generator().manual_seed(1)
    batches = (torch.randn(size, num_points, 3, generator=generator) for size in BATCHES)
    return [batch / batch.norm(dim=-1).amax(dim=1)[:, None, None] for batch in batches]


def _write_program(program: torch.export.ExportedProgram, file: Path) -> None:
    stream = io.BytesIO()
    torch.export.save(program, stream)
    write_atomically(file, stream.getvalue())


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
