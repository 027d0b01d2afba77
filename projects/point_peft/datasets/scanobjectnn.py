"""ScanObjectNN (Uy et al., ICCV 2019): objects cut out of real indoor scans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..io.errors import InvalidValueError
from ..io.required import require_path
from ..registry import DATASETS
from .base import PointCloudDataset
from .clouds import Clouds
from .h5 import read_h5

ORIGIN = 'https://hkust-vgd.github.io/scanobjectnn (h5_files.zip)'

FILES = {
    'pb_t50_rs': ('main_split', '_objectdataset_augmentedrot_scale75.h5'),
    'obj_bg': ('main_split', '_objectdataset.h5'),
    'obj_only': ('main_split_nobg', '_objectdataset.h5'),
}
"""Directory and file suffix of every variant; the files begin with ``training`` or ``test``."""


@DATASETS.register_module()
class ScanObjectNN(PointCloudDataset):
    """The published h5 files, 2048 points per object, coordinates as in the file.

    Args:
        data_root (str | Path): directory that holds ``main_split`` and ``main_split_nobg``.
        variant (str): ``pb_t50_rs`` (hardest: perturbed, rotated, scaled; with background), ``obj_bg`` (with
            background) or ``obj_only``.
        **kwargs: see :class:`PointCloudDataset`.

    Raises:
        ValueError: an unknown variant.
    """

    classes = (
        'bag',
        'bin',
        'box',
        'cabinet',
        'chair',
        'desk',
        'display',
        'door',
        'shelf',
        'table',
        'bed',
        'pillow',
        'sink',
        'sofa',
        'toilet',
    )

    def __init__(self, data_root: str | Path, *, variant: str = 'pb_t50_rs', **kwargs: Any) -> None:
        if variant not in FILES:
            raise InvalidValueError(f"variant='{variant}' is unknown; choose one of {', '.join(FILES)}.")
        self.variant = variant
        super().__init__(data_root, **kwargs)

    @property
    def metainfo(self) -> dict:
        """Classes and dataset name, which carries the variant."""
        return dict(classes=self.classes, dataset=f'ScanObjectNN/{self.variant}')

    def load(self, subset: str) -> Clouds:
        """Read the training or test file; see the base class."""
        directory, suffix = FILES[self.variant]
        name = ('training' if subset == 'train' else 'test') + suffix
        return read_h5(require_path(self.data_root / directory / name, dataset='ScanObjectNN', origin=ORIGIN))
