"""Classify clouds or meshes, or segment their parts: ``python tools/infer.py CONFIG CHECKPOINT FILE [FILE ...]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from point_peft.apis import init_model
from point_peft.datasets.clouds import check_points
from point_peft.datasets.normalize import get_normalizer
from point_peft.datasets.part_dataset import PointDraw
from point_peft.datasets.readers import MESH_POINTS, SUFFIXES, read_cloud
from point_peft.engine.checkpoint import from_plain, load_checkpoint_file
from point_peft.engine.cli import add_config_options, run_tool
from point_peft.engine.config import load_config
from point_peft.engine.errors import ConfigError, PointPEFTError
from point_peft.models import PartSegmentor
from point_peft.registry import DATASETS, MODELS
from point_peft.structures import PointDataSample
from point_peft.visualization import ShownCloud, plot_shown, save_figure, show_sample, write_page

PART_POINTS = 2048
"""Points of an object whose parts are segmented, where the config does not say."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Classify files of clouds or meshes, or segment their parts')
    parser.add_argument('config', help='config the checkpoint was trained with')
    parser.add_argument('checkpoint', help='checkpoint or adapter; an adapter has its memory bank beside it')
    parser.add_argument('files', nargs='+', type=Path, metavar='FILE', help=f'one of {" ".join(SUFFIXES)}')
    parser.add_argument('--top-k', type=int, default=5, help='classes to print for each file (default: 5)')
    parser.add_argument(
        '--category', metavar='NAME_OR_INDEX', help='what the objects are, if their parts are to be segmented'
    )
    parser.add_argument(
        '--normalize',
        choices=['unit_sphere', 'none'],
        default='unit_sphere',
        help='none if the files have the coordinates of the training data (default: unit_sphere)',
    )
    parser.add_argument(
        '--png', type=Path, metavar='PICTURE', help='draw the clouds with their classes or parts'
    )
    parser.add_argument(
        '--html', type=Path, metavar='PAGE', help='the same as a page to turn the clouds in a browser'
    )
    parser.add_argument('--device', default='cpu', help='cpu (default), cuda, cuda:1 ...')
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Read the files, predict classes or parts; print, and draw if asked, what was found."""
    if args.top_k < 1:
        raise ConfigError(f'--top-k {args.top_k} prints nothing; give at least 1.')
    cfg = load_config(args.config, args.cfg_options)
    meta = dataset_meta(cfg, args.checkpoint)
    category = find_category(args.category, meta, args.config) if check_task(cfg, args) else None
    normalize = None if args.normalize == 'none' else args.normalize
    clouds = [read_points(path, normalize, points_wanted(cfg)) for path in args.files]
    if category is not None:
        clouds = [draw_points(cfg, cloud) for cloud in clouds]
    model = init_model(cfg, args.checkpoint, device=args.device)
    if category is not None and category >= model.head.num_categories:
        raise ConfigError(
            f'--category {category} is too large; the model has {model.head.num_categories} categories.'
        )
    pairs = list(zip(clouds, args.files))
    samples = [predict(model, *pair, category) for pair in track(pairs, 'predicting', transient=True)]
    if category is None:
        classes = class_names(meta, len(samples[0].pred_scores))
        meta = {**meta, 'classes': classes}
        table = class_table(args.files, [sample.pred_scores for sample in samples], classes, args.top_k)
    else:
        table = part_table(args.files, [sample.pred_part for sample in samples], meta.get('parts') or ())
    Console().print(table)
    draw(args, [show_sample(sample, cloud, meta) for sample, cloud in zip(samples, clouds)])


def draw(args: argparse.Namespace, shown: Sequence[ShownCloud]) -> None:
    """Write the picture and the page that are asked for."""
    if args.png:
        save_figure(plot_shown(shown), args.png)
        print(args.png)
    if args.html:
        write_page(shown, args.html, title=f'predictions of {Path(args.checkpoint).name}')
        print(args.html)


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


def read_points(path: Path, normalize: str | None, mesh_points: int) -> Tensor:
    """Read a file.

    Args:
        path (Path): Cloud or mesh.
        normalize (str | None): Name of the normalisation.
        mesh_points (int): Points to sample on a mesh.

    Returns:
        Tensor: (N, 3) float32.

    Raises:
        DatasetError: The file cannot be read, or has a NaN.
    """
    points = read_cloud(path, mesh_points=mesh_points)
    check_points(points[None], [f"'{path}'"])
    return torch.from_numpy(get_normalizer(normalize)(points)).float()


def predict(model: BaseModel, points: Tensor, path: Path, category: int | None = None) -> PointDataSample:
    """Class or parts of one cloud.

    Args:
        model (BaseModel): The model.
        points (Tensor): (N, 3) coordinates.
        path (Path): Where they came from.
        category (int | None): What the object is, for part segmentation.

    Returns:
        PointDataSample: ``pred_scores`` (num_classes,) and ``pred_label``, or ``pred_part`` (N,), on the CPU.

    Raises:
        PointPEFTError: The model cannot take this cloud; names the file.
    """
    sample = PointDataSample(metainfo=dict(source=str(path)))
    inputs = dict(points=[points])
    if category is not None:
        sample.category = torch.tensor(category)
        inputs['category'] = [sample.category]
    try:
        with torch.no_grad():
            (found,) = model.test_step({'inputs': inputs, 'data_samples': [sample]})
    except ValueError as error:
        raise PointPEFTError(f"'{path}' cannot be processed: {error}") from error
    return found.cpu()


def points_wanted(cfg: Config) -> int:
    """Points to sample on a mesh: at least as many as the model takes."""
    return max(
        (cfg.get('data_preprocessor') or {}).get('num_points') or 0, points_per_object(cfg), MESH_POINTS
    )


def points_per_object(cfg: Config) -> int:
    """Points that a dataset for part segmentation draws of every object."""
    return ((cfg.get('test_dataloader') or {}).get('dataset') or {}).get('num_points') or PART_POINTS


def draw_points(cfg: Config, points: Tensor) -> Tensor:
    """As many points (N, 3) as the model was trained on, since groups of another density look different to it."""
    return points[PointDraw(points_per_object(cfg), random=False)(len(points), '')]


def dataset_meta(cfg: Config, checkpoint: str) -> dict[str, Any]:
    """Names of classes and parts as the training noted them; as the config's dataset has them where a file has none."""
    meta = from_plain(load_checkpoint_file(checkpoint).get('meta') or {}).get('dataset_meta')
    if meta:
        return dict(meta)
    kind = ((cfg.get('test_dataloader') or {}).get('dataset') or {}).get('type')
    dataset = DATASETS.get(kind) if isinstance(kind, str) else kind
    found = {name: getattr(dataset, name, None) for name in ('classes', 'parts', 'class_parts')}
    return {name: value for name, value in found.items() if isinstance(value, (tuple, Mapping)) and value}


def class_names(meta: Mapping[str, Any], num_classes: int) -> Sequence[str]:
    """Names of the classes; their numbers where there are none, or of another number."""
    names = meta.get('classes') or ()
    return names if len(names) == num_classes else [str(index) for index in range(num_classes)]


def class_table(files: Sequence[Path], scores: Sequence[Tensor], classes: Sequence[str], top_k: int) -> Table:
    """The ``top_k`` classes of every file with their probabilities, highest first."""
    table = Table('file', 'class', 'probability', box=SIMPLE_HEAD)
    for path, score in zip(files, scores):
        found = score.topk(min(top_k, len(score)))
        for rank, (value, index) in enumerate(zip(found.values.tolist(), found.indices.tolist())):
            table.add_row(str(path) if rank == 0 else '', classes[index], f'{value:.4f}')
    return table


def part_table(files: Sequence[Path], parts: Sequence[Tensor], names: Sequence[str]) -> Table:
    """The parts of every file with their points and the share of them."""
    table = Table('file', 'part', 'name', 'points', 'share', box=SIMPLE_HEAD)
    for path, labels in zip(files, parts):
        found, counts = labels.unique(return_counts=True)
        for rank, (part, count) in enumerate(zip(found.tolist(), counts.tolist())):
            name = names[part] if part < len(names) else ''
            share = f'{100 * count / len(labels):.1f} %'
            table.add_row(str(path) if rank == 0 else '', str(part), name, str(count), share)
    return table


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
