"""Rooms that the tests make: clouds with color and labels, in memory or on disk in mmdet3d's layout."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from small_models import SMALL_BACKBONES, scramble
from torch import Tensor

from point_peft.models import ScenePreprocessor, SceneSegmentor

NUM_CLASSES = 4
SLIDING = dict(num_points=64, block_size=1.5, sample_rate=0.5, batch_size=8)

SURFACES = {
    'floor': (2, (0, 0, 0), (3, 2.5, 0.02), (120, 90, 60)),
    'wall': (1, (0, 2.48, 0), (3, 2.5, 2.5), (230, 230, 220)),
    'bed': (4, (0.3, 0.3, 0.3), (1.8, 1.2, 0.6), (60, 80, 200)),
    'cabinet': (3, (2.2, 1.6, 0), (2.9, 2.3, 1.8), (170, 120, 60)),
    'lamp': (35, (0.3, 1.9, 1.0), (0.5, 2.1, 1.4), (250, 250, 80)),
}
"""Parts of a room: NYU40 class, two corners in metres, color. ScanNet's 20 classes do not have lamps."""


def room(points_per_part: int = 400, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates and colors (N, 6) float32, and NYU40 classes (N,) int64."""
    generator = np.random.default_rng(seed)
    rows, classes = [], []
    for kind, low, high, color in SURFACES.values():
        coords = generator.uniform(low, high, (points_per_part, 3))
        colors = np.clip(color + generator.normal(0, 10, (points_per_part, 3)), 0, 255)
        rows.append(np.concatenate([coords, colors], axis=1))
        classes.append(np.full(points_per_part, kind))
    order = generator.permutation(points_per_part * len(SURFACES))
    return np.concatenate(rows)[order].astype(np.float32), np.concatenate(classes)[order].astype(np.int64)


def scene(points_per_part: int = 60) -> Tensor:
    """(N, 6) coordinates and colors up to 1 of a room, as pipelines give them."""
    return torch.from_numpy(room(points_per_part)[0]) / torch.tensor([1.0, 1, 1, 255, 255, 255])


def write_rooms(
    root: Path, names: list[str], info_file: str, *, classes: dict[int, int] | None = None
) -> None:
    """Write rooms and the info file that lists them, as mmdet3d 1.x has them.

    Args:
        root (Path): The data root.
        names (list[str]): Rooms.
        info_file (str): Name of the info file.
        classes (dict[int, int] | None): Label to write in place of each NYU40 class.
    """
    infos = []
    for name in names:
        points, labels = room(seed=len(list(root.rglob('*.bin'))))
        if classes is not None:
            labels = np.vectorize(classes.get)(labels)
        for folder, values in (('points', points), ('semantic_mask', labels)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            values.tofile(root / folder / f'{name}.bin')
        infos.append(
            dict(
                lidar_points=dict(num_pts_feats=6, lidar_path=f'{name}.bin'),
                pts_semantic_mask_path=f'{name}.bin',
                pts_instance_mask_path=f'{name}.bin',
                instances=[],
            )
        )
    content = dict(metainfo=dict(dataset='room', info_version='1.1'), data_list=infos)
    (root / info_file).write_bytes(pickle.dumps(content))


def blocks(batch: int = 2, num_points: int = 96, *, columns: int = 6) -> Tensor:
    """(B, N, D) random columns of blocks, with coordinates in metres."""
    return torch.randn(batch, num_points, columns, generator=torch.Generator().manual_seed(0))


def block_samples(labels: Tensor) -> list[Any]:
    """Objects with the labels (B, N) of blocks, where mmdet3d has them."""
    return [SimpleNamespace(gt_pts_seg=SimpleNamespace(pts_semantic_mask=row)) for row in labels]


def build_segmentor(
    name: str = 'PointMAE',
    *,
    methods: list[dict[str, Any]] | None = None,
    linear: bool = False,
    test_cfg: dict[str, Any] = SLIDING,
    **head: Any,
) -> SceneSegmentor:
    """A small scene segmentation model in eval mode, with weights at which every part matters."""
    torch.manual_seed(0)
    kind = 'LinearSceneSegHead' if linear else 'PropagationSceneSegHead'
    sizes = {} if linear else dict(propagation_dims=(32, 16), dims=(16, 16))
    model = SceneSegmentor(
        dict(type=name, **SMALL_BACKBONES[name]),
        dict(type=kind, num_classes=NUM_CLASSES) | sizes | head,
        peft=None if methods is None else dict(type='PEFTBackbone', methods=methods),
        test_cfg=test_cfg,
        data_preprocessor=ScenePreprocessor(),
    )
    scramble(model)
    return model.eval()
