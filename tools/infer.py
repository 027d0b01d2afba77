"""Classify clouds or meshes, or segment their parts: ``python tools/infer.py CHECKPOINT FILE_OR_DIRECTORY ...``.

The config is that of the training, which the checkpoint holds; another one can be given before the checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.table import Table

from point_peft.apis import init_model
from point_peft.apis.prediction import (
    class_names,
    dataset_meta,
    find_files,
    predict_files,
    preparation_for_files,
    read_clouds,
)
from point_peft.apis.prediction_tables import class_table, part_table, result_rows
from point_peft.apis.stored_config import config_of_checkpoint
from point_peft.cli.arguments import at_least, check_output, device, file_or_url, path
from point_peft.cli.tool import add_config_options, run_tool
from point_peft.datasets.readers import SUFFIXES
from point_peft.engine.config import load_config
from point_peft.engine.runtime.device import check_device
from point_peft.io.errors import ConfigError
from point_peft.io.progress import plain_console, track
from point_peft.io.rows import check_format, write_rows
from point_peft.io.text import printable
from point_peft.models import PartSegmentor
from point_peft.registry import MODELS
from point_peft.structures import PointDataSample
from point_peft.visualization import ShownCloud, plot_shown, save_figure, show_sample, write_page

WEIGHTS = ('.pth', '.pt', '.ckpt', '.bin', '.safetensors')
"""Suffixes of checkpoints."""

MOST_FILES = 20
"""Files in the table on the screen, where all are written to a file."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Classify files of clouds or meshes, or segment their parts',
        usage='%(prog)s [options] [CONFIG] CHECKPOINT FILE [FILE ...]',
    )
    parser.add_argument(
        'given',
        nargs='+',
        metavar='[CONFIG] CHECKPOINT FILE',
        help='checkpoint or adapter, which has its memory bank beside it; then clouds, meshes '
        f'({" ".join(SUFFIXES)}) and directories of them. Before the checkpoint, the config it was trained with, if '
        'that in the checkpoint is not to be used',
    )
    parser.add_argument(
        '--out', type=path, metavar='FILE', help='write all predictions to a file that ends in .csv or .json'
    )
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
    args = parser.parse_intermixed_args()
    given = vars(args).pop('given')
    with_config = not is_checkpoint(given[0])
    args.config = given[0] if with_config else None
    named = given[1:] if with_config else given
    if len(named) < 2:
        parser.error('give a checkpoint, and at least one file or directory.')
    args.checkpoint, args.files = file_or_url(named[0]), [path(text) for text in named[1:]]
    return args


def is_checkpoint(text: str) -> bool:
    """Whether an argument is a checkpoint, and not a config."""
    file = path(text)
    return '://' in text or file.suffix.lower() in WEIGHTS or (file.is_file() and file.suffix != '.py')


def main(args: argparse.Namespace) -> None:
    """Read the files, predict classes or parts; print, and write and draw if asked, what was found."""
    if args.top_k < 1:
        raise ConfigError(f'--top-k {args.top_k} prints nothing; give at least 1.')
    check_device(args.device)
    for file, flag in ((args.png, '--png'), (args.html, '--html'), (args.out, '--out')):
        if file is not None:
            check_output(file, flag)
    if args.out is not None:
        check_format(args.out, '--out')
    if args.config is None:
        cfg = config_of_checkpoint(args.checkpoint, args.cfg_options)
    else:
        cfg = load_config(args.config, args.cfg_options)
    init_default_scope('point_peft')
    meta = dataset_meta(cfg, args.checkpoint)
    source = args.config or args.checkpoint
    category = find_category(args.category, meta, source) if check_task(cfg, args) else None
    problems: dict[Path, str] = {}
    files = find_files(args.files)
    clouds = read_clouds(preparation_for_files(cfg, args.normalize), files, problems)
    model = init_model(cfg, args.checkpoint, device=args.device)
    if category is not None and category >= model.head.num_categories:
        raise ConfigError(
            f'--category {category} is too large; the model has {model.head.num_categories} categories.'
        )
    readable = [file for file in files if file not in problems]
    batch_size = (cfg.get('test_dataloader') or {}).get('batch_size', 1)
    found = predict_files(model, clouds, readable, category, batch_size=batch_size, problems=problems)
    samples = list(track(found, 'predicting', total=len(clouds)))
    clouds = [cloud for cloud, file in zip(clouds, readable) if file not in problems]
    done = [file for file in files if file not in problems]
    if not done:
        raise ConfigError(f'none of the files can be used: {next(iter(problems.values()))}')
    if category is None:
        meta = {**meta, 'classes': class_names(meta, len(samples[0].pred_scores))}
    shown = slice(None) if args.out is None else slice(MOST_FILES)
    plain_console().print(result_table(done[shown], samples[shown], meta, args.top_k))
    for problem in problems.values():
        print(f'passed over: {printable(problem)}', file=sys.stderr)
    if args.out is not None:
        rows = result_rows(
            dict(zip(done, zip(samples, clouds))), meta, parts_in_full=args.out.suffix == '.json'
        )
        empty = dict.fromkeys(rows[done[0]][0])
        rows |= {file: [{**empty, 'file': str(file), 'error': text}] for file, text in problems.items()}
        write_rows(args.out, [row for file in dict.fromkeys(files) for row in rows[file]])
        print(f'{printable(args.out)}: {len(done)} files, {len(problems)} passed over')
    draw(args, [show_sample(sample, cloud, meta) for sample, cloud in zip(samples, clouds)])


def result_table(
    files: Sequence[Path], samples: Sequence[PointDataSample], meta: Mapping[str, Any], top_k: int
) -> Table:
    """The classes or parts of every file."""
    if 'pred_part' in samples[0]:
        return part_table(files, [sample.pred_part for sample in samples], meta.get('parts') or ())
    return class_table(files, [sample.pred_scores for sample in samples], meta['classes'], top_k)


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
            f'--category is for part segmentation, but the model of {args.config or args.checkpoint} is a '
            f'{cfg.model.type}; leave it out.'
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


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
