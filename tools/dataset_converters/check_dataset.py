"""Read every cloud of a config's datasets and summarise them.

Use: ``python tools/dataset_converters/check_dataset.py CONFIG [--cfg-options data_root=DIR]``.
Ends with an error that names the first file, index and fault if something cannot be used. Of rooms it counts the boxes,
or else the points, of every class.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mmengine.registry import init_default_scope
from rich.table import Table

from point_peft.cli.tool import add_config_options, run_tool
from point_peft.datasets import PointCloudDataset, unrepeated
from point_peft.engine.config import DATALOADERS, load_config
from point_peft.engine.config.tiers import check_tiers
from point_peft.engine.preflight import check_data
from point_peft.io.errors import ConfigError
from point_peft.io.progress import plain_console, track
from point_peft.io.text import printable
from point_peft.registry import DATASETS
from point_peft.visualization.annotations import true_boxes, true_labels


@dataclass
class Summary:
    """What is noted of a dataset while it is read.

    Attributes:
        counts (Counter[str]): Objects, boxes or points by class.
        counted (str): Which of these.
        sizes (list[int]): Points of every cloud.
        lows (list[np.ndarray]): Smallest coordinates (3,) of every cloud.
        highs (list[np.ndarray]): Largest coordinates (3,) of every cloud.
        radii (list[float]): Distance of the farthest point from the origin.
        offsets (list[float]): Distance of the mean from the origin.
    """

    counts: Counter[str] = field(default_factory=Counter)
    counted: str = 'objects'
    sizes: list[int] = field(default_factory=list)
    lows: list[np.ndarray] = field(default_factory=list)
    highs: list[np.ndarray] = field(default_factory=list)
    radii: list[float] = field(default_factory=list)
    offsets: list[float] = field(default_factory=list)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Read and summarise a config's datasets")
    parser.add_argument('config', help='config file, one of configs/_base_/datasets will do')
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Build the datasets of all data loaders, read every item and print two tables."""
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope('point_peft')
    check_tiers(cfg)
    check_data(cfg)
    datasets = {
        name.removesuffix('_dataloader'): DATASETS.build(cfg[name].dataset)
        for name in DATALOADERS
        if cfg.get(name) is not None
    }
    if not datasets:
        raise ConfigError(f'config {args.config} has no data loader; give one that trains or tests.')
    summaries = {name: summarise(dataset, name) for name, dataset in datasets.items()}
    console = plain_console()
    console.print(count_table(summaries, next(iter(datasets.values())).metainfo['classes']))
    console.print(range_table(summaries))


def summarise(dataset: Any, name: str) -> Summary:
    """Read all of a dataset, of one that is repeated once."""
    dataset = unrepeated(dataset)
    found = Summary()
    if isinstance(dataset, PointCloudDataset):
        found.counts.update(dataset.class_counts())
    for index in track(range(len(dataset)), f'Reading {name}'):
        item = dataset[index]
        if not isinstance(dataset, PointCloudDataset):
            count_annotations(item['data_samples'], dataset.metainfo['classes'], found)
        points = item['inputs']['points'][:, :3].numpy()
        found.sizes.append(len(points))
        found.lows.append(points.min(axis=0))
        found.highs.append(points.max(axis=0))
        found.radii.append(float(np.linalg.norm(points, axis=1).max()))
        found.offsets.append(float(np.linalg.norm(points.mean(axis=0))))
    return found


def count_annotations(sample: Any, classes: tuple[str, ...], found: Summary) -> None:
    """Count the boxes of a room, or the points if it has no boxes; those of no class are left out."""
    boxes = true_boxes(sample)
    labels = true_labels(sample) if boxes is None else boxes.labels
    if labels is None:
        return
    found.counted = 'points' if boxes is None else 'boxes'
    values, numbers = np.unique(labels[(labels >= 0) & (labels < len(classes))], return_counts=True)
    found.counts.update({classes[value]: number for value, number in zip(values.tolist(), numbers.tolist())})


def count_table(summaries: dict[str, Summary], classes: tuple[str, ...]) -> Table:
    """Objects, boxes or points of every class in every split."""
    counted = next(iter(summaries.values())).counted
    table = Table('class', *summaries, title=counted.capitalize())
    for name in classes:
        table.add_row(printable(name), *(str(found.counts[name]) for found in summaries.values()))
    table.add_section()
    row = 'all' if counted == 'objects' else 'clouds'
    table.add_row(row, *(str(len(found.sizes)) for found in summaries.values()))
    return table


def range_table(summaries: dict[str, Summary]) -> Table:
    """Numbers of points, extent of the coordinates, and distances from the origin in every split."""
    table = Table(
        'split', 'points', 'lowest x y z', 'highest x y z', 'largest radius', 'mean offset', title='Values'
    )
    for name, found in summaries.items():
        table.add_row(
            name,
            str(found.sizes[0])
            if len(set(found.sizes)) == 1
            else f'{min(found.sizes)} to {max(found.sizes)}',
            _row(np.min(found.lows, axis=0)),
            _row(np.max(found.highs, axis=0)),
            f'{max(found.radii):.3f}',
            f'{np.mean(found.offsets):.3f}',
        )
    return table


def _row(values: np.ndarray) -> str:
    """Three numbers in a cell."""
    return ' '.join(f'{value:.3f}' for value in values)


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
