"""Draw the clouds a config feeds to its model: ``python tools/misc/browse_dataset.py CONFIG``.

Rooms are drawn with their boxes or with the labels of their points, and there is a page to turn them in a browser.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from torch import Tensor

from point_peft.cli.arguments import path, seed
from point_peft.cli.tool import add_config_options, run_tool
from point_peft.datasets import unrepeated
from point_peft.engine.config import load_config
from point_peft.engine.config.tiers import check_tiers
from point_peft.engine.preflight import check_data
from point_peft.io.errors import ConfigError
from point_peft.io.text import printable
from point_peft.registry import DATASETS, MODELS
from point_peft.structures import PointDataSample
from point_peft.visualization import (
    ShownCloud,
    plot_clouds,
    plot_shown,
    save_figure,
    show_boxes,
    show_labels,
    write_page,
)
from point_peft.visualization.annotations import true_boxes, true_labels
from point_peft.visualization.scenes import MAX_POINTS, source_name

COLUMNS, ROWS = 8, 6
"""Clouds in a picture."""

ROOMS = 12
"""Rooms in a picture; they are larger."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw the clouds a config feeds to its model')
    parser.add_argument('config', help='config file, one of configs/_base_/datasets will do')
    parser.add_argument(
        '--out-dir', type=path, default=Path('work_dirs/browse_dataset'), help='directory for the pictures'
    )
    parser.add_argument(
        '--split',
        choices=['train', 'val', 'test'],
        default='train',
        help='whose data loader; train shows augmented clouds (default: train)',
    )
    parser.add_argument(
        '--num', type=int, default=48, help='clouds to draw, spread over the split (default: 48)'
    )
    parser.add_argument(
        '--show',
        choices=['auto', 'none', 'parts', 'boxes', 'labels'],
        default='auto',
        help='what the colors mean (default: auto, boxes or else labels of rooms, nothing for objects)',
    )
    parser.add_argument('--seed', type=seed, default=0, help='seed of the augmentation')
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Read, augment and draw."""
    if args.num < 1:
        raise ConfigError(f'--num {args.num} draws nothing; give at least 1.')
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope('point_peft')
    check_tiers(cfg)
    check_data(cfg, [f'{args.split}_dataloader'])
    dataset = build_dataset(cfg, args.split)
    index = np.unique(np.linspace(0, len(dataset) - 1, min(args.num, len(dataset))).round().astype(int))
    Path(args.out_dir).mkdir(parents=True, exist_ok=True)
    set_random_seed(args.seed)  # mmdet3d's transforms draw from NumPy
    items = map(dataset.__getitem__, index.tolist())
    if (first := next(items, None)) is None:
        raise ConfigError(f'the {args.split} set has no clouds; choose another --split.')
    of_objects = isinstance(first['data_samples'], PointDataSample)
    draw = draw_objects if of_objects else draw_rooms
    if args.show not in ('auto', 'none', *(['parts'] if of_objects else ['boxes', 'labels'])):
        kind = 'objects, which have no' if of_objects else 'rooms, which have no'
        raise ConfigError(f'--show {args.show}: this dataset is of {kind} {args.show}; use --show none.')
    draw(chain([first], items), args, cfg, dataset.metainfo)


def draw_objects(
    items: Iterator[dict[str, Any]], args: argparse.Namespace, cfg: Config, meta: Mapping[str, Any]
) -> None:
    """Draw objects, as many in a picture as fit."""
    for page in count():
        if not (batch := list(islice(items, COLUMNS * ROWS))):
            return
        clouds = prepare(cfg, batch, training=args.split == 'train', show=args.show)
        titles = [meta['classes'][int(item['data_samples'].gt_label)] for item in batch]
        colors = list(clouds[..., 3].int().numpy()) if args.show == 'parts' else None
        figure = plot_clouds(list(clouds[..., :3].numpy()), titles, colors=colors, columns=COLUMNS)
        save(figure, Path(args.out_dir) / f'{args.split}_{page:03d}.png')


def draw_rooms(
    items: Iterator[dict[str, Any]], args: argparse.Namespace, cfg: Config, meta: Mapping[str, Any]
) -> None:
    """Draw rooms as the pipeline gives them, in pictures and in a page."""
    rooms = [show_room(item, meta, args.show) for item in items]
    for page, start in enumerate(range(0, len(rooms), ROOMS)):
        path = Path(args.out_dir) / f'{args.split}_{page:03d}.png'
        save(plot_shown(rooms[start : start + ROOMS]), path)
    path = Path(args.out_dir) / f'{args.split}.html'
    write_page(rooms, path, title=f'{Path(args.config).stem}, {args.split}')
    print(printable(path))


def show_room(item: Mapping[str, Any], meta: Mapping[str, Any], show: str) -> ShownCloud:
    """What is shown of a room.

    Raises:
        ConfigError: boxes or labels are asked for, but the room has none.
    """
    sample, points = item['data_samples'], item['inputs']['points']
    found = {'boxes': true_boxes(sample) is not None, 'labels': true_labels(sample) is not None, 'none': True}
    if show == 'auto':
        show = next(name for name, there in found.items() if there)
    if not found[show]:
        raise ConfigError(f'--show {show}: {printable(source_name(sample))} has no {show}; use --show auto.')
    if show == 'none':
        return ShownCloud(source_name(sample), points[:, :3].numpy(), up='z').thinned(MAX_POINTS)
    return (show_boxes if show == 'boxes' else show_labels)(sample, points, meta)


def save(figure: Figure, path: Path) -> None:
    """Write a picture and say where."""
    save_figure(figure, path)
    print(printable(path))


def build_dataset(cfg: Config, split: str) -> Any:
    """Build the dataset of a data loader; of one that is repeated, the one that is.

    Raises:
        ConfigError: the config has no such loader.
    """
    loader = cfg.get(f'{split}_dataloader')
    if loader is None:
        raise ConfigError(f'the config has no {split}_dataloader; choose another --split.')
    return unrepeated(DATASETS.build(loader.dataset))


def prepare(cfg: Config, items: list[dict], *, training: bool, show: str) -> Tensor:
    """Run the config's data preprocessor on objects.

    Args:
        cfg (Config): its ``data_preprocessor``, at the top or in the model, is used.
        items (list[dict]): what the dataset gave.
        training (bool): whether to augment.
        show (str): ``parts``, or anything else for no colors.

    Returns:
        Tensor: (B, N, 4): coordinates, and part (0 where parts are not shown).

    Raises:
        ConfigError: parts are asked for, but the dataset has none.
    """
    settings = cfg.get('data_preprocessor') or cfg.get('model', {}).get('data_preprocessor')
    if settings is None:
        raise ConfigError('the config has no data_preprocessor; inherit one of configs/_base_/datasets.')
    points = [item['inputs']['points'] for item in items]
    if show == 'parts':
        if 'gt_part' not in items[0]['data_samples']:
            raise ConfigError('--show parts: this dataset has no part labels; use --show none.')
        colors = [item['data_samples'].gt_part for item in items]
    else:
        colors = [cloud.new_zeros(len(cloud)) for cloud in points]
    # As a fourth channel the parts go with their points through any subsampling and shuffling.
    inputs = [torch.cat([cloud, color[:, None].float()], dim=1) for cloud, color in zip(points, colors)]
    batch = dict(inputs=dict(points=inputs), data_samples=[item['data_samples'] for item in items])
    return MODELS.build(settings)(batch, training)['inputs']['points']


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
