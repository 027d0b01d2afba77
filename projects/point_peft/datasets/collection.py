"""Collections of objects without classes, for pre-training: one h5 file, or a folder of meshes and clouds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from ..io.errors import DatasetError
from ..io.required import require_path
from ..registry import DATASETS
from ..structures import PointDataSample
from .collection_files import Collection, read_collection
from .collection_words import frequent_words, words_of
from .orientation import check_up, turn_up


@DATASETS.register_module()
class PointCollection(Dataset):
    """Objects with names instead of classes.

    - An h5 file: ``data`` (M, N, 3), floating or integer (then divided by the largest value of its type), ``name``,
      and, if wanted, ``licence_class`` and ``source``; attribute ``up`` names the axis that points up.
      ``tools/dataset_converters/collect_meshes.py`` makes one from a folder.
    - A folder: every mesh and cloud below it; its path is its name. Meshes are sampled on their surface.

    Clouds are within the unit sphere. Each access gives another choice of ``num_points`` of an object's points, by
    torch's generator.

    Args:
        data_root (str | Path): the file or folder.
        num_points (int): points per object and access.
        up (str): axis that is to point up.
        source_up (str | None): axis that points up in the files; None takes the h5 file's word for it.
        licence_classes (Sequence[int] | None): keep only objects of these values of ``licence_class``; None keeps all.
        num_words (int): how many of the most frequent words in the names are told (``gt_words``); 0 for none.

    Raises:
        DatasetNotFoundError: nothing is there.
        DatasetError: a file cannot be read, has a NaN, fewer points than ``num_points`` or no object of the wanted
            licences, or does not say which axis points up.
    """

    def __init__(
        self,
        data_root: str | Path,
        *,
        num_points: int = 1024,
        up: str = 'z',
        source_up: str | None = None,
        licence_classes: Sequence[int] | None = None,
        num_words: int = 0,
    ) -> None:
        root = require_path(
            Path(data_root), dataset='collection', origin='your own meshes (docs/pretraining.md says how)'
        )
        self.data_root = root
        self.num_points = num_points
        collection = read_collection(root)
        if licence_classes is not None:
            collection = collection.of_licences(licence_classes)
        self._check(collection)
        source_up = source_up or collection.up
        if source_up is None:
            raise DatasetError(
                f"'{root}' does not say which axis points up in it; set source_up to 'x', 'y' or 'z'."
            )
        self.points = turn_up(collection.points, check_up(source_up), up)
        self.names = collection.names
        self.words = frequent_words(self.names, num_words)
        index = {word: number for number, word in enumerate(self.words)}
        self.word_ids = [[index[w] for w in words_of(name) if w in index] for name in self.names]

    def _check(self, collection: Collection) -> None:
        """Refuse what cannot be trained on."""
        if len(collection.names) == 0:
            raise DatasetError(f"'{self.data_root}' holds no object; give it some, or other licence_classes.")
        if collection.points.shape[1] < self.num_points:
            raise DatasetError(
                f"'{self.data_root}' has {collection.points.shape[1]} points per object; set num_points to that."
            )

    @property
    def metainfo(self) -> dict:
        """Dataset name and the words told apart."""
        return dict(dataset=type(self).__name__, words=self.words)

    def __len__(self) -> int:
        """Number of objects."""
        return len(self.names)

    def __getitem__(self, index: int) -> dict:
        """Object ``index``.

        Returns:
            dict: ``inputs`` = dict(points=(num_points, 3) float32), ``data_samples`` with ``gt_words``, () to
            (num_words,) int64, and the meta fields ``sample_idx``, ``source``.
        """
        choice = torch.randperm(self.points.shape[1])[: self.num_points].numpy()
        points = self.points[index][choice].astype(np.float32)
        sample = PointDataSample(metainfo=dict(sample_idx=index, source=self.names[index]))
        sample.gt_words = torch.tensor(self.word_ids[index], dtype=torch.int64)
        return dict(inputs=dict(points=torch.from_numpy(points)), data_samples=sample)
