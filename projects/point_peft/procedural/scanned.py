"""Objects of another dataset as a depth camera would see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import torch

from ..datasets.normalize import unit_sphere
from ..datasets.orientation import check_up, turn_up
from ..datasets.wrapped import WrappedDataset
from ..io.errors import InvalidValueError
from ..registry import DATASETS
from .scan import ScanSettings, scan_object


@DATASETS.register_module()
class Scanned(WrappedDataset):
    """Whole objects corrupted as a depth camera would: turned, hidden on one side, amid floor and wall, with noise.

    The same corruption as ``ProceduralShapes(scan=True)``, for any classification dataset. It depends on the seed and
    the object's position alone, so that every method sees the same scans. Clouds keep their number of points, drawn
    from what the camera sees, and are scaled to the unit sphere afterwards.

    Args:
        dataset (dict): config of a classification dataset.
        up (str): axis that points up in it: ``z`` in ModelNet, ``y`` in the built-in shapes.
        seed (int): another seed gives other scans; give training and test sets the same.
        scan_settings (dict | None): fields of :class:`ScanSettings` to change; with ``background=(0, 0)``, say, nothing
            surrounds the object.

    Raises:
        ValueError: an unknown axis or scan setting.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any],
        *,
        up: str = 'z',
        seed: int = 0,
        scan_settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.up, self.seed = check_up(up), seed
        known = [field.name for field in fields(ScanSettings)]
        unknown = sorted(set(scan_settings or ()) - set(known))
        if unknown:
            raise InvalidValueError(f'scan_settings has {unknown[0]!r}; it may have {", ".join(known)}.')
        self.scan_settings = ScanSettings(**(scan_settings or {}))
        super().__init__(dataset)

    def __getitem__(self, index: int) -> dict:
        """Object ``index``; part labels are those of the points that are seen, -1 around the object."""
        item = super().__getitem__(index)
        points = item['inputs']['points'].numpy()
        sample = item['data_samples']
        parts = sample.gt_part.numpy() if 'gt_part' in sample else np.zeros(len(points), dtype=np.int64)
        seen, seen_parts = scan_object(
            unit_sphere(turn_up(points.astype(np.float64), self.up, 'y')),
            parts,
            np.random.default_rng([self.seed, index]),
            num_points=len(points),
            settings=self.scan_settings,
        )
        cloud = turn_up(unit_sphere(seen), 'y', self.up).astype(np.float32)
        item['inputs']['points'] = torch.from_numpy(np.ascontiguousarray(cloud))
        if 'gt_part' in sample:
            sample.gt_part = torch.from_numpy(seen_parts)
        return item

    def __repr__(self) -> str:
        """Settings and underlying dataset."""
        return f'Scanned(seed={self.seed}, {self.dataset!r})'
