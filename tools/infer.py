"""Classify files of clouds or meshes: ``python tools/infer.py CONFIG CHECKPOINT FILE [FILE ...]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.model import BaseModel
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from torch import Tensor

from point_peft.apis import init_model
from point_peft.datasets.clouds import check_points
from point_peft.datasets.normalize import get_normalizer
from point_peft.datasets.readers import MESH_POINTS, SUFFIXES, read_cloud
from point_peft.engine.checkpoint import from_plain, load_checkpoint_file
from point_peft.engine.cli import add_config_options, run_tool
from point_peft.engine.config import load_config
from point_peft.engine.errors import ConfigError, PointPEFTError
from point_peft.visualization import plot_clouds, save_figure


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Classify files of clouds or meshes')
    parser.add_argument('config', help='config the checkpoint was trained with')
    parser.add_argument('checkpoint', help='checkpoint or adapter; an adapter has its memory bank beside it')
    parser.add_argument('files', nargs='+', type=Path, metavar='FILE', help=f'one of {" ".join(SUFFIXES)}')
    parser.add_argument('--top-k', type=int, default=5, help='classes to print for each file (default: 5)')
    parser.add_argument(
        '--normalize',
        choices=['unit_sphere', 'none'],
        default='unit_sphere',
        help='none if the files have the coordinates of the training data (default: unit_sphere)',
    )
    parser.add_argument('--png', type=Path, metavar='PICTURE', help='draw the clouds with their classes')
    parser.add_argument('--device', default='cpu', help='cpu (default), cuda, cuda:1 ...')
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Read and classify the files; print, and draw if asked, what was found."""
    if args.top_k < 1:
        raise ConfigError(f'--top-k {args.top_k} prints nothing; give at least 1.')
    cfg = load_config(args.config, args.cfg_options)
    num_points = (cfg.get('data_preprocessor') or {}).get('num_points') or MESH_POINTS
    normalize = None if args.normalize == 'none' else args.normalize
    clouds = [read_points(path, normalize, max(num_points, MESH_POINTS)) for path in args.files]
    model = init_model(cfg, args.checkpoint, device=args.device)
    scores = [classify(model, cloud, path) for cloud, path in zip(clouds, args.files)]
    classes = class_names(args.checkpoint, len(scores[0]))
    Console().print(result_table(args.files, scores, classes, args.top_k))
    if args.png:
        best = [classes[int(score.argmax())] for score in scores]
        titles = [f'{path.name}\n{name}' for path, name in zip(args.files, best)]
        save_figure(plot_clouds([cloud.numpy() for cloud in clouds], titles), args.png)
        print(args.png)


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
    return torch.from_numpy(get_normalizer(normalize)(points))


def classify(model: BaseModel, points: Tensor, path: Path) -> Tensor:
    """Class probabilities (num_classes,) of one cloud (N, 3), on the CPU.

    Raises:
        PointPEFTError: The model cannot take this cloud; names the file.
    """
    try:
        with torch.no_grad():
            samples = model.test_step({'inputs': {'points': [points]}, 'data_samples': None})
    except ValueError as error:
        raise PointPEFTError(f"'{path}' cannot be classified: {error}") from error
    return samples[0].pred_scores.cpu()


def class_names(checkpoint: str, num_classes: int) -> Sequence[str]:
    """Names of the classes as the training noted them; their numbers where a file does not have them."""
    meta = from_plain(load_checkpoint_file(checkpoint).get('meta') or {})
    names = (meta.get('dataset_meta') or {}).get('classes') or ()
    return names if len(names) == num_classes else [str(index) for index in range(num_classes)]


def result_table(
    files: Sequence[Path], scores: Sequence[Tensor], classes: Sequence[str], top_k: int
) -> Table:
    """The ``top_k`` classes of every file with their probabilities, highest first."""
    table = Table('file', 'class', 'probability', box=SIMPLE_HEAD)
    for path, score in zip(files, scores):
        found = score.topk(min(top_k, len(score)))
        for rank, (value, index) in enumerate(zip(found.values.tolist(), found.indices.tolist())):
            table.add_row(str(path) if rank == 0 else '', classes[index], f'{value:.4f}')
    return table


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
