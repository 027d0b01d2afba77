"""Base class of all point-cloud datasets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import RepeatDataset
from torch.utils.data import Dataset

from ..io.errors import DatasetError
from ..structures import PointDataSample
from .clouds import Clouds
from .labels import check_labels, whole_labels
from .lazy import LazyClouds
from .mapped import MappedClouds
from .preparation import Preparation
from .splits import check_split, stratified_split


class PointCloudDataset(Dataset, ABC):
    """Labelled point clouds, checked when they are loaded.

    A subclass says in :meth:`load` how its files are read and sets :attr:`classes`. Items are
    deterministic: augmentation happens batched on the training device (see ``datasets/transforms``).

    Args:
        data_root (str | Path): directory of the dataset.
        split (str): ``train``, ``val`` (held out of the training file), ``trainval`` or ``test``.
        normalize (str | None): ``unit_sphere``, or None to keep the coordinates of the file.
        max_points (int | None): keep the first ``max_points`` points of every cloud; None keeps all.
        val_fraction (float): share of every class of the training file that forms ``val``.
        split_seed (int): seed of that choice.

    Raises:
        DatasetNotFoundError: a directory or file is missing.
        DatasetError: a file cannot be read, or holds an empty cloud, a NaN or a label out of range.
        ValueError: an unknown split or normalisation.
    """

    classes: tuple[str, ...] = ()
    holds_out = True
    """Whether ``val`` is cut out of the training files; False for files that come with their own splits."""

    def __init__(
        self,
        data_root: str | Path = '',
        *,
        split: str = 'train',
        normalize: str | None = None,
        max_points: int | None = None,
        val_fraction: float = 0.1,
        split_seed: int = 0,
    ) -> None:
        self.data_root = Path(data_root)
        self.split = check_split(split)
        self.val_fraction = val_fraction
        self.split_seed = split_seed
        self.max_points = max_points
        # A subclass has set the arguments of its own by now.
        self.preparation = self.preparation_from(
            {**vars(self), 'normalize': normalize, 'max_points': max_points}
        )
        self.clouds = self._prepare(self._select(self.load('test' if split == 'test' else 'train')))

    @abstractmethod
    def load(self, subset: str) -> Clouds:
        """Read all objects of the ``train`` or ``test`` files."""

    @classmethod
    def preparation_from(cls, settings: Mapping[str, Any]) -> Preparation:
        """How clouds are prepared under these arguments, all of which are given; nothing is read."""
        return Preparation(normalize=settings['normalize'], max_points=settings['max_points'])

    @property
    def metainfo(self) -> dict:
        """Description of the dataset: ``classes`` (tuple of names) and ``dataset`` (name)."""
        return dict(classes=self.classes, dataset=type(self).__name__)

    def __len__(self) -> int:
        """Number of objects in the split."""
        return len(self.clouds)

    def __getitem__(self, index: int) -> dict:
        """Object ``index``.

        Returns:
            dict: ``inputs`` = dict(points=(N, 3) float32), ``data_samples`` = PointDataSample with
            ``gt_label``, ``gt_part`` where parts are known, and the meta fields ``sample_idx``, ``source``.
        """
        source = self.clouds.sources[index]
        points = self.clouds.points[index]
        if self.is_lazy:
            points = self.preparation(points, source)
        sample = PointDataSample(metainfo=dict(sample_idx=index, source=source))
        sample.gt_label = torch.tensor(int(self.clouds.labels[index]))
        if self.clouds.parts is not None:
            sample.gt_part = torch.tensor(self.clouds.parts[index], dtype=torch.int64)
        return dict(inputs=dict(points=torch.tensor(points)), data_samples=sample)

    @property
    def is_lazy(self) -> bool:
        """Whether clouds are read from disk when they are asked for."""
        return isinstance(self.clouds.points, LazyClouds)

    @property
    def labels(self) -> np.ndarray:
        """(M,) int64 class of every object of the split."""
        return self.clouds.labels

    def class_counts(self) -> dict[str, int]:
        """Number of objects of every class in the split."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        return dict(zip(self.classes, counts.tolist()))

    def __repr__(self) -> str:
        """Name, split and sizes."""
        return (
            f"{type(self).__name__}(split='{self.split}', objects={len(self)}, classes={len(self.classes)})"
        )

    def _select(self, clouds: Clouds) -> Clouds:
        """Keep the objects that belong to ``split``."""
        if len(clouds) == 0:
            raise DatasetError(f"'{self.data_root}' holds no objects for split='{self.split}'.")
        clouds.labels = whole_labels(clouds.labels, clouds.sources)
        check_labels(clouds.labels, clouds.sources, len(self.classes))
        if not self.holds_out or self.split not in ('train', 'val'):
            return clouds
        train, val = self._hold_out(clouds)
        index = train if self.split == 'train' else val
        if len(index) == 0:
            raise DatasetError(
                f"split='{self.split}' of '{self.data_root}' is empty with val_fraction="
                f'{self.val_fraction} of {len(clouds)} objects; change val_fraction.'
            )
        return clouds.subset(index)

    def _hold_out(self, clouds: Clouds) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the objects of ``train`` and ``val`` among those of the training files."""
        return stratified_split(clouds.labels, fraction=self.val_fraction, seed=self.split_seed)

    def _prepare(self, clouds: Clouds) -> Clouds:
        """Prepare clouds that are in memory; lazy ones are prepared item by item."""
        if not isinstance(clouds.points, (LazyClouds, MappedClouds)):
            pairs = zip(clouds.points, clouds.sources)
            prepared = [self.preparation(points, source) for points, source in pairs]
            clouds.points = np.stack(prepared) if isinstance(clouds.points, np.ndarray) else prepared
        if clouds.parts is not None and self.max_points is not None:
            clouds.parts = [parts[: self.max_points] for parts in clouds.parts]
        return clouds


def unrepeated(dataset: Any) -> Any:
    """The dataset that MMEngine's ``RepeatDataset`` repeats; any other as it is."""
    return dataset.dataset if isinstance(dataset, RepeatDataset) else dataset
