"""ModelNet40 and ModelNet10 (Wu et al., 3D ShapeNets, CVPR 2015), in either of two published layouts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..io.errors import DatasetError
from ..io.required import require_path
from ..registry import DATASETS
from .base import PointCloudDataset
from .clouds import Clouds
from .h5 import concatenate, read_h5
from .modelnet_txt import read_modelnet_txt
from .preparation import Preparation

ORIGIN = (
    'https://shapenet.cs.stanford.edu/media/modelnet40_ply_hdf5_2048.zip or '
    'https://shapenet.cs.stanford.edu/media/modelnet40_normal_resampled.zip'
)


@DATASETS.register_module()
class ModelNet(PointCloudDataset):
    """ModelNet with 40 or 10 classes; the layout is recognised by its files.

    - ``modelnet40_ply_hdf5_2048``: ``{train,test}_files.txt`` list h5 files, of which only the name counts
      (the published lists carry a path of their authors), with ``shape_names.txt`` beside them. Already
      centred and in the unit sphere, so not normalised unless asked.
    - ``modelnet40_normal_resampled``: ``modelnet{40,10}_{train,test}.txt`` list text files
      ``class/class_0001.txt``. Normalised to the unit sphere as in the published loader.

    Args:
        data_root (str | Path): directory of either layout.
        num_classes (int): 40 or 10.
        normalize (str | None): ``unit_sphere``, None, or ``auto``: as the layout's published loader does.
        **kwargs: see :class:`PointCloudDataset`.
    """

    def __init__(
        self, data_root: str | Path, *, num_classes: int = 40, normalize: str | None = 'auto', **kwargs: Any
    ) -> None:
        root = require_path(Path(data_root), dataset=f'ModelNet{num_classes}', origin=ORIGIN)
        self.num_classes = num_classes
        self.is_h5 = _is_h5(root)
        super().__init__(root, normalize=normalize, **kwargs)

    @classmethod
    def preparation_from(cls, settings: Mapping[str, Any]) -> Preparation:
        """How clouds are prepared; ``auto`` depends on the layout that is there; see the base class."""
        if settings['normalize'] == 'auto':
            is_h5 = _is_h5(Path(settings['data_root']))
            settings = {**settings, 'normalize': None if is_h5 else 'unit_sphere'}
        return super().preparation_from(settings)

    def load(self, subset: str) -> Clouds:
        """Read the ``train`` or ``test`` files; see the base class."""
        prefix = '' if self.is_h5 else f'modelnet{self.num_classes}_'
        self.classes = self._read_classes(f'{prefix}shape_names.txt')
        if self.is_h5:
            names = self._read_list(f'{subset}_files.txt')
            return concatenate([read_h5(self._require(Path(name).name)) for name in names])
        names = self._read_list(f'{prefix}{subset}.txt')
        return read_modelnet_txt(self.data_root, names, classes=self.classes, max_points=self.max_points)

    @property
    def metainfo(self) -> dict:
        """Classes and dataset name, ``ModelNet40`` or ``ModelNet10``."""
        return dict(classes=self.classes, dataset=f'ModelNet{self.num_classes}')

    def _read_classes(self, name: str) -> tuple[str, ...]:
        """Class names in label order."""
        classes = tuple(self._read_list(name))
        if len(classes) != self.num_classes:
            raise DatasetError(
                f"'{self.data_root / name}' lists {len(classes)} classes, but num_classes="
                f'{self.num_classes}; set num_classes={len(classes)} or another data_root.'
            )
        return classes

    def _read_list(self, name: str) -> list[str]:
        """Non-empty lines of a text file."""
        return [line.strip() for line in self._require(name).read_text().splitlines() if line.strip()]

    def _require(self, name: str) -> Path:
        """Path of a file that must exist."""
        return require_path(self.data_root / name, dataset=f'ModelNet{self.num_classes}', origin=ORIGIN)


def _is_h5(root: Path) -> bool:
    """Whether a directory has the layout of h5 files."""
    return (root / 'shape_names.txt').exists() or (root / 'train_files.txt').exists()
