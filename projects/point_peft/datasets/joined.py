"""Several datasets as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch.utils.data import ConcatDataset

from ..registry import DATASETS


@DATASETS.register_module()
class JoinedDatasets(ConcatDataset):
    """Datasets one after another, whatever each knows of its objects; for pre-training.

    MMEngine's ``ConcatDataset`` wants them to agree about classes; these need not, since every objective passes over
    objects that lack what it needs.

    Args:
        datasets (Sequence[dict]): Their configs.
    """

    def __init__(self, datasets: Sequence[dict[str, Any]]) -> None:
        super().__init__([DATASETS.build(config) for config in datasets])

    @property
    def metainfo(self) -> dict:
        """Description of all datasets; where two say the same, the first's word counts."""
        merged: dict[str, Any] = {}
        for dataset in reversed(self.datasets):
            merged.update(getattr(dataset, 'metainfo', {}))
        return merged
