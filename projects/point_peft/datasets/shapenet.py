"""ShapeNet55 (Yu et al., PoinTr, ICCV 2021): the clouds most backbones are pre-trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..io.errors import DatasetError
from ..io.required import require_path
from ..registry import DATASETS
from .base import PointCloudDataset
from .clouds import Clouds
from .lazy import LazyClouds
from .readers import read_cloud

ORIGIN = 'https://github.com/yuxumin/PoinTr/blob/master/DATASET.md (ShapeNet55/34)'
NUM_CLASSES = 55


@DATASETS.register_module()
class ShapeNet55(PointCloudDataset):
    """``ShapeNet-55/{train,test}.txt`` list ``SYNSET-ID.npy``; the clouds (8192, 3) lie in ``shapenet_pc``.

    Clouds are read when they are asked for and normalised to the unit sphere, as in Point-MAE's loader. The
    class is the position of the synset among all synsets of both lists, sorted.

    Args:
        data_root (str | Path): directory that holds ``ShapeNet-55`` and ``shapenet_pc``.
        normalize (str | None): ``unit_sphere`` or None.
        **kwargs: see :class:`PointCloudDataset`.
    """

    def __init__(
        self, data_root: str | Path, *, normalize: str | None = 'unit_sphere', **kwargs: Any
    ) -> None:
        super().__init__(data_root, normalize=normalize, **kwargs)

    def load(self, subset: str) -> Clouds:
        """List the train or test files; see the base class."""
        lists = {name: self._read_list(name) for name in ('train', 'test')}
        self.classes = tuple(sorted({_synset(name) for names in lists.values() for name in names}))
        if len(self.classes) > NUM_CLASSES:
            raise DatasetError(
                f"the lists in '{self.data_root / 'ShapeNet-55'}' name {len(self.classes)} synsets; "
                f'expected at most {NUM_CLASSES}, as SYNSET-ID.npy.'
            )
        names = lists[subset]
        directory = require_path(self.data_root / 'shapenet_pc', dataset='ShapeNet55', origin=ORIGIN)
        position = {synset: index for index, synset in enumerate(self.classes)}
        files = [directory / name for name in names]
        labels = np.array([position[_synset(name)] for name in names], dtype=np.int64)
        return Clouds(
            points=LazyClouds(files, read_cloud), labels=labels, sources=[str(path) for path in files]
        )

    def _read_list(self, name: str) -> list[str]:
        """File names in ``ShapeNet-55/<name>.txt``."""
        path = require_path(
            self.data_root / 'ShapeNet-55' / f'{name}.txt', dataset='ShapeNet55', origin=ORIGIN
        )
        return [line.strip() for line in path.read_text().splitlines() if line.strip()]


def _synset(name: str) -> str:
    """Synset of ``SYNSET-ID.npy``."""
    return Path(name).name.split('-')[0]
