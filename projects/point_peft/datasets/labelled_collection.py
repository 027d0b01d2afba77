"""A collection with classes and folds for cross-validation, in one h5 file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..io.errors import DatasetError
from ..io.required import require_path
from ..registry import DATASETS
from .base import PointCloudDataset
from .clouds import Clouds
from .collection_files import read_h5_collection
from .labels import whole_labels
from .orientation import turn_up


@DATASETS.register_module()
class LabelledCollection(PointCloudDataset):
    """Objects of an h5 file as :class:`PointCollection` reads, with ``label``, ``classes`` and ``fold``.

    One fold is the test set, the others are the training files (``train``, ``val`` and ``trainval`` as elsewhere).

    Args:
        data_root (str | Path): the file.
        fold (int): which fold is the test set.
        up (str): axis that is to point up.
        **kwargs: see :class:`PointCloudDataset`.

    Raises:
        DatasetNotFoundError: no such file.
        DatasetError: the file cannot be read, lacks a field, or has no such fold.
    """

    def __init__(self, data_root: str | Path, *, fold: int = 0, up: str = 'z', **kwargs: Any) -> None:
        root = require_path(Path(data_root), dataset='labelled collection', origin='its publisher')
        self.fold = fold
        self.up = up
        super().__init__(root, **kwargs)

    def load(self, subset: str) -> Clouds:
        """Read the objects of the fold, or of all others; see the base class."""
        path = self.data_root
        collection = read_h5_collection(path)
        with h5py.File(path, 'r') as file:
            missing = [key for key in ('label', 'classes', 'fold') if key not in file]
            if missing:
                raise DatasetError(f"'{path}' has no '{missing[0]}' (it has {sorted(file)}).")
            sources = [f'{path}[{i}] {name}' for i, name in enumerate(collection.names)]
            arrays = [np.asarray(file[key][()]).reshape(-1) for key in ('label', 'fold')]
            if any(len(array) != len(sources) for array in arrays):
                raise DatasetError(
                    f"'{path}' has {len(arrays[0])} labels and {len(arrays[1])} folds for {len(sources)} objects; "
                    'expected one of each per object.'
                )
            labels, folds = (whole_labels(array, sources) for array in arrays)
            self.classes = tuple(file['classes'].asstr()[()])
        if self.fold not in folds:
            raise DatasetError(
                f"fold={self.fold} is none of the folds {sorted(set(folds.tolist()))} of '{path}'; set one of them."
            )
        index = np.flatnonzero((folds == self.fold) == (subset == 'test'))
        points = turn_up(collection.points[index].astype(np.float32), collection.up or self.up, self.up)
        return Clouds(points=points, labels=labels[index], sources=[sources[i] for i in index])
