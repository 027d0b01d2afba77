"""Read every cloud of a config's datasets and summarise them.

Use: ``python tools/dataset_converters/check_dataset.py CONFIG [--cfg-options data_root=DIR]``.
Ends with an error that names the first file, index and fault if something cannot be used.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from point_peft.datasets import PointCloudDataset
from point_peft.engine.cli import add_config_options, run_tool
from point_peft.engine.config import DATALOADERS, load_config
from point_peft.engine.errors import ConfigError
from point_peft.registry import DATASETS


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Read and summarise a config's datasets")
    parser.add_argument('config', help='config file, one of configs/_base_/datasets will do')
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Build the datasets of all data loaders, read every item and print two tables."""
    cfg = load_config(args.config, args.cfg_options)
    datasets = {
        name.removesuffix('_dataloader'): DATASETS.build(cfg[name].dataset)
        for name in DATALOADERS
        if cfg.get(name) is not None
    }
    if not datasets:
        raise ConfigError(f'config {args.config} has no data loader; give one that trains or tests.')
    console = Console()
    console.print(count_table(datasets))
    console.print(range_table(datasets))


def count_table(datasets: dict[str, PointCloudDataset]) -> Table:
    """Objects of every class in every split."""
    table = Table('class', *datasets, title='Objects')
    counts = [dataset.class_counts() for dataset in datasets.values()]
    for name in next(iter(datasets.values())).metainfo['classes']:
        table.add_row(name, *(str(count[name]) for count in counts))
    table.add_section()
    table.add_row('all', *(str(len(dataset)) for dataset in datasets.values()))
    return table


def range_table(datasets: dict[str, PointCloudDataset]) -> Table:
    """Numbers of points, extent of the coordinates, and distances from the origin in every split."""
    table = Table(
        'split', 'points', 'lowest x y z', 'highest x y z', 'largest radius', 'mean offset', title='Values'
    )
    for name, dataset in datasets.items():
        sizes, bounds, radii, offsets = [], [], [], []
        for index in track(range(len(dataset)), description=f'Reading {name}', transient=True):
            points = dataset[index]['inputs']['points'].numpy()
            sizes.append(len(points))
            bounds.append((points.min(axis=0), points.max(axis=0)))
            radii.append(np.linalg.norm(points, axis=1).max())
            offsets.append(np.linalg.norm(points.mean(axis=0)))
        low, high = (np.array(side) for side in zip(*bounds))
        table.add_row(
            name,
            str(sizes[0]) if len(set(sizes)) == 1 else f'{min(sizes)} to {max(sizes)}',
            _row(low.min(axis=0)),
            _row(high.max(axis=0)),
            f'{max(radii):.3f}',
            f'{np.mean(offsets):.3f}',
        )
    return table


def _row(values: np.ndarray) -> str:
    """Three numbers in a cell."""
    return ' '.join(f'{value:.3f}' for value in values)


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
