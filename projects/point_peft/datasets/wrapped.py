"""Base class of datasets that show another classification dataset differently."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from ..registry import DATASETS


class WrappedDataset(Dataset):
    """Some or all objects of another dataset.

    Args:
        dataset (dict): config of a classification dataset.
        index (np.ndarray | None): (M,) positions in it of the objects that are shown; None shows all.
    """

    def __init__(self, dataset: Mapping[str, Any], index: np.ndarray | None = None) -> None:
        self.dataset = DATASETS.build(dict(dataset))
        self.index = np.arange(len(self.dataset)) if index is None else index

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order."""
        return self.dataset.classes

    @property
    def labels(self) -> np.ndarray:
        """(M,) int64 class of every object."""
        return self.dataset.labels[self.index]

    @property
    def metainfo(self) -> dict:
        """Description of the underlying dataset."""
        return self.dataset.metainfo

    @property
    def split(self) -> str:
        """Split of the underlying dataset."""
        return self.dataset.split

    def __len__(self) -> int:
        """Number of objects."""
        return len(self.index)

    def __getitem__(self, index: int) -> dict:
        """Object ``index`` as the underlying dataset gives it."""
        item = self.dataset[int(self.index[index])]
        item['data_samples'].set_metainfo(dict(sample_idx=index))
        return item

    def class_counts(self) -> dict[str, int]:
        """Number of objects of every class."""
        return dict(zip(self.classes, np.bincount(self.labels, minlength=len(self.classes)).tolist()))
