"""Classify clouds or meshes, or segment their parts: ``python tools/infer.py CONFIG CHECKPOINT FILE [FILE ...]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.box import SIMPLE_HEAD
from rich.table import Table
from torch import Tensor

from point_peft.apis import init_model
from point_peft.apis.prediction import (
    class_names,
    dataset_meta,
    predict_files,
    preparation_for_files,
    read_clouds,
)
from point_peft.cli.arguments import at_least, check_output, device, file_or_url, path
from point_peft.cli.tool import add_config_options, run_tool
from point_peft.datasets.readers import SUFFIXES
from point_peft.engine.config import load_config
from point_peft.engine.runtime.device import check_device
from point_peft.io.errors import ConfigError
from point_peft.io.progress import plain_console, track
from point_peft.io.text import printable
from point_peft.models import PartSegmentor
from point_peft.registry import MODELS
from point_peft.visualization import ShownCloud, plot_shown, save_figure, show_sample, write_page


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Classify files of clouds or meshes, or segment their parts')
    parser.add_argument('config', help='config the checkpoint was trained with')
    parser.add_argument(
        'checkpoint', type=file_or_url, help='checkpoint or adapter; an adapter has its memory bank beside it'
    )
    parser.add_argument('files', nargs='+', type=path, metavar='FILE', help=f'one of {" ".join(SUFFIXES)}')
    parser.add_argument(
        '--top-k', type=at_least(1), default=5, help='classes to print for each file (default: 5)'
    )
    parser.add_argument(
        '--category', metavar='NAME_OR_INDEX', help='what the objects are, if their parts are to be segmented'
    )
    parser.add_argument(
        '--normalize',
        choices=['unit_sphere', 'none'],
        help='center and scale the clouds, or keep their coordinates, whatever the test set of the config does '
        '(default: what it does)',
    )
    parser.add_argument(
        '--png', type=path, metavar='PICTURE', help='draw the clouds with their classes or parts'
    )
    parser.add_argument(
        '--html', type=path, metavar='PAGE', help='the same as a page to turn the clouds in a browser'
    )
    parser.add_argument('--device', type=device, default='cpu', help='cpu (default), cuda, cuda:1 ..., auto')
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Read the files, predict classes or parts; print, and draw if asked, what was found."""
    if args.top_k < 1:
        raise ConfigError(f'--top-k {args.top_k} prints nothing; give at least 1.')
    check_device(args.device)
    for file, flag in ((args.png, '--png'), (args.html, '--html')):
        if file is not None:
            check_output(file, flag)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope('point_peft')
    meta = dataset_meta(cfg, args.checkpoint)
    category = find_category(args.category, meta, args.config) if check_task(cfg, args) else None
    clouds = read_clouds(preparation_for_files(cfg, args.normalize), args.files)
    model = init_model(cfg, args.checkpoint, device=args.device)
    if category is not None and category >= model.head.num_categories:
        raise ConfigError(
            f'--category {category} is too large; the model has {model.head.num_categories} categories.'
        )
    batch_size = (cfg.get('test_dataloader') or {}).get('batch_size', 1)
    found = predict_files(model, clouds, args.files, category, batch_size=batch_size)
    samples = list(track(found, 'predicting', total=len(clouds)))
    if category is None:
        classes = class_names(meta, len(samples[0].pred_scores))
        meta = {**meta, 'classes': classes}
        table = class_table(args.files, [sample.pred_scores for sample in samples], classes, args.top_k)
    else:
        table = part_table(args.files, [sample.pred_part for sample in samples], meta.get('parts') or ())
    plain_console().print(table)
    draw(args, [show_sample(sample, cloud, meta) for sample, cloud in zip(samples, clouds)])


def draw(args: argparse.Namespace, shown: Sequence[ShownCloud]) -> None:
    """Write the picture and the page that are asked for."""
    if args.png:
        save_figure(plot_shown(shown), args.png)
        print(printable(args.png))
    if args.html:
        write_page(shown, args.html, title=f'predictions of {Path(args.checkpoint).name}')
        print(printable(args.html))


def check_task(cfg: Config, args: argparse.Namespace) -> bool:
    """Whether the config's model segments parts.

    Raises:
        ConfigError: ``--category`` is given, but not needed.
    """
    kind = MODELS.get(cfg.model.type) if isinstance(cfg.model.type, str) else cfg.model.type
    segments = isinstance(kind, type) and issubclass(kind, PartSegmentor)
    if args.category is not None and not segments:
        raise ConfigError(
            f'--category is for part segmentation, but the model of {args.config} is a {cfg.model.type}; leave it out.'
        )
    return segments


def find_category(category: str | None, meta: Mapping[str, Any], config: str) -> int:
    """Index of the category that is named, or given by its index.

    Raises:
        ConfigError: No category is given, or it is unknown.
    """
    names = [str(name) for name in meta.get('classes') or ()]
    known = f'one of {", ".join(names)}' if names else 'its index, as the checkpoint has no names'
    if category is None:
        raise ConfigError(
            f'{config} segments the parts of objects whose category is known; give --category, {known}.'
        )
    lower = [name.lower() for name in names]
    if category.lower() in lower:
        return lower.index(category.lower())
    if not category.isdecimal() or (names and int(category) >= len(names)):
        raise ConfigError(f"--category '{category}' is unknown; give {known}.")
    return int(category)


def class_table(files: Sequence[Path], scores: Sequence[Tensor], classes: Sequence[str], top_k: int) -> Table:
    """The ``top_k`` classes of every file with their probabilities, highest first."""
    table = Table('file', 'class', 'probability', box=SIMPLE_HEAD)
    for file, score in zip(files, scores):
        found = score.topk(min(top_k, len(score)))
        for rank, (value, index) in enumerate(zip(found.values.tolist(), found.indices.tolist())):
            name = printable(classes[index])
            table.add_row(printable(file) if rank == 0 else '', name, f'{value:.4f}')
    return table


def part_table(files: Sequence[Path], parts: Sequence[Tensor], names: Sequence[str]) -> Table:
    """The parts of every file with their points and the share of them."""
    table = Table('file', 'part', 'name', 'points', 'share', box=SIMPLE_HEAD)
    for file, labels in zip(files, parts):
        found, counts = labels.unique(return_counts=True)
        for rank, (part, count) in enumerate(zip(found.tolist(), counts.tolist())):
            name = printable(names[part]) if part < len(names) else ''
            share = f'{100 * count / len(labels):.1f} %'
            table.add_row(printable(file) if rank == 0 else '', str(part), name, str(count), share)
    return table


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
