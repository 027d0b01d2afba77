"""Draw the clouds a config feeds to its model: ``python tools/misc/browse_dataset.py CONFIG``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from point_peft.datasets import PointCloudDataset
from point_peft.engine.cli import add_config_options, run_tool
from point_peft.engine.config import load_config
from point_peft.engine.errors import ConfigError
from point_peft.registry import DATASETS, MODELS
from point_peft.visualization import plot_clouds, save_figure

COLUMNS, ROWS = 8, 6
"""Clouds in a picture."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw the clouds a config feeds to its model')
    parser.add_argument('config', help='config file, one of configs/_base_/datasets will do')
    parser.add_argument('--out-dir', default='work_dirs/browse_dataset', help='directory for the pictures')
    parser.add_argument(
        '--split',
        choices=['train', 'val', 'test'],
        default='train',
        help='whose data loader; train shows augmented clouds (default: train)',
    )
    parser.add_argument(
        '--num', type=int, default=48, help='clouds to draw, spread over the split (default: 48)'
    )
    parser.add_argument('--show', choices=['none', 'parts'], default='none', help='what the colors mean')
    parser.add_argument('--seed', type=int, default=0, help='seed of the augmentation')
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Read, augment and draw."""
    if args.num < 1:
        raise ConfigError(f'--num {args.num} draws nothing; give at least 1.')
    cfg = load_config(args.config, args.cfg_options)
    dataset = build_dataset(cfg, args.split)
    index = np.unique(np.linspace(0, len(dataset) - 1, min(args.num, len(dataset))).round().astype(int))
    out_dir = Path(args.out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    for page, start in enumerate(range(0, len(index), COLUMNS * ROWS)):
        items = [dataset[int(i)] for i in index[start : start + COLUMNS * ROWS]]
        clouds = prepare(cfg, items, training=args.split == 'train', show=args.show)
        titles = [dataset.metainfo['classes'][int(item['data_samples'].gt_label)] for item in items]
        path = out_dir / f'{args.split}_{page:03d}.png'
        colors = list(clouds[..., 3].int().numpy()) if args.show == 'parts' else None
        save_figure(plot_clouds(list(clouds[..., :3].numpy()), titles, colors=colors, columns=COLUMNS), path)
        print(path)


def build_dataset(cfg: Config, split: str) -> PointCloudDataset:
    """Build the dataset of a data loader.

    Raises:
        ConfigError: the config has no such loader.
    """
    loader = cfg.get(f'{split}_dataloader')
    if loader is None:
        raise ConfigError(f'the config has no {split}_dataloader; choose another --split.')
    return DATASETS.build(loader.dataset)


def prepare(cfg: Config, items: list[dict], *, training: bool, show: str) -> Tensor:
    """Run the config's data preprocessor.

    Args:
        cfg (Config): its ``data_preprocessor``, at the top or in the model, is used.
        items (list[dict]): what the dataset gave.
        training (bool): whether to augment.
        show (str): ``none`` or ``parts``.

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
