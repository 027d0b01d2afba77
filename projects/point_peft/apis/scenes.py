"""Predictions on whole rooms, by the detectors and scene segmentors of the detection tier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.model import BaseModel

from ..datasets.checks import check_cloud
from ..datasets.readers import SUFFIXES
from ..engine.config.classes import datasets_of
from ..engine.runtime.randomness import preserved_rng
from ..io.errors import ConfigError, DatasetError
from .answers import Answer
from .inputs import Given, read_cloud, read_each

RAW = '.bin'
"""Files as mmdet3d's datasets have them: float32, row by row."""

SCENE_SUFFIXES = (*SUFFIXES, RAW)

LOADING = 'mmdet3d.LoadPointsFromFile'

OF_LABELS = ('mmdet3d.LoadAnnotations3D', 'mmdet3d.PointSegClassMapping')
"""Transforms that bring the truth, which a room of one's own does not have."""


@dataclass(frozen=True)
class ScenePreparation:
    """What the test pipeline of a config does to a room, whose coordinates stay in metres.

    Attributes:
        pipeline (Sequence[Mapping]): Configs of the transforms; the first one loads the file.
        columns (int): Numbers of a point in a file.
        needed (int): How many of them at least are used.
        box_type (str): Of the dataset.
    """

    pipeline: Sequence[Mapping[str, Any]]
    columns: int
    needed: int
    box_type: str

    @classmethod
    def of(cls, cfg: Config, normalize: str | None) -> ScenePreparation:
        """That of a config which :func:`loads_rooms`.

        Raises:
            ConfigError: Rooms are to be normalised.
        """
        if normalize not in (None, 'none'):
            raise ConfigError(f"normalize='{normalize}' is for objects; rooms stay in metres: leave it out.")
        dataset = _dataset(cfg)
        pipeline = [step for step in dataset['pipeline'] if step['type'] not in OF_LABELS]
        loading = pipeline[0]
        use = loading.get('use_dim', [0, 1, 2])
        needed = use if isinstance(use, int) else max(use) + 1
        return cls(pipeline, loading.get('load_dim', 6), needed, dataset.get('box_type_3d', 'Depth'))

    def read_clouds(self, given: Sequence[Given]) -> list[Answer]:
        """Rooms with all of their columns, (N, columns) float32, or with the problem of a file.

        Raises:
            DatasetError: An array cannot be used; names it.
        """

        def read(one: Given) -> np.ndarray:
            points = self._read(one.item) if isinstance(one.item, Path) else one.item
            return self._padded(points, one.source)

        return read_each(given, read)

    def _read(self, path: Path) -> np.ndarray:
        """What a file has: all columns of a raw one, else the coordinates."""
        if path.suffix.lower() != RAW:
            return read_cloud(path)
        values = np.fromfile(path, dtype=np.float32)
        if values.size == 0 or values.size % self.columns:
            raise DatasetError(
                f"'{path}' holds {values.size} numbers; expected {self.columns} for every point."
            )
        return values.reshape(-1, self.columns)

    def _padded(self, points: np.ndarray, source: str) -> np.ndarray:
        """A room with zeros in the columns that nothing uses."""
        if points.ndim != 2 or not self.needed <= points.shape[1] <= self.columns:
            raise DatasetError(
                f'{source} has shape {points.shape}; the model uses {self.needed} columns, so give (number of points, '
                f'{self.needed} to {self.columns}), coordinates in metres first, z up.'
            )
        check_cloud(points[:, :3], source)
        if not np.isfinite(points).all():
            raise DatasetError(f'{source} has a NaN or an infinite value; repair or remove this cloud.')
        room = np.zeros((len(points), self.columns), dtype=np.float32)
        room[:, : points.shape[1]] = points
        return room


def loads_rooms(cfg: Config) -> bool:
    """Whether the data of a config are loaded by mmdet3d's transforms, as those of rooms are."""
    pipeline = _dataset(cfg).get('pipeline') or [{}]
    return pipeline[0].get('type') == LOADING


def _dataset(cfg: Config) -> Mapping[str, Any]:
    """The dataset that a config's model is tested on, or else validated or trained on; empty without one."""
    return next(reversed(datasets_of(cfg)), None) or {}


def predict_scenes(
    model: BaseModel, answers: Sequence[Answer], preparation: ScenePreparation
) -> Iterator[None]:
    """Let a model say what is in rooms, one by one, with the same draws of points for each.

    Args:
        model (BaseModel): The model, in evaluation mode.
        answers (Sequence[Answer]): Rooms; each gets its ``sample`` and the ``points`` that the model saw.
        preparation (ScenePreparation): What the test does to them.

    Yields:
        None: Once for every room.
    """
    from mmdet3d.structures import get_box_type  # the model needs it, so it is installed

    box_type, box_mode = get_box_type(preparation.box_type)
    transforms = Compose(preparation.pipeline)
    with TemporaryDirectory() as folder:
        file = Path(folder, f'room{RAW}')
        for answer in answers:
            assert answer.points is not None
            answer.points.numpy().tofile(file)
            info = dict(
                lidar_points=dict(lidar_path=str(file)),
                axis_align_matrix=np.eye(4),  # a single file is taken as it lies
                box_type_3d=box_type,
                box_mode_3d=box_mode,
            )
            with preserved_rng(), torch.no_grad():
                np.random.seed(0)
                torch.manual_seed(0)
                data = transforms(info)
                (sample,) = model.test_step(pseudo_collate([data]))
            answer.points = data['inputs']['points'].cpu()
            answer.sample = sample.cpu()
            answer.sample.set_metainfo(dict(lidar_path=answer.source))
            yield
