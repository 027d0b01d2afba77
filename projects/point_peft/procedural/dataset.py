"""The built-in dataset of procedural objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..datasets.base import PointCloudDataset
from ..datasets.clouds import Clouds
from ..datasets.normalize import unit_sphere
from ..datasets.preparation import Preparation
from ..io.errors import InvalidValueError
from ..registry import DATASETS
from .scan import ScanSettings, scan_object
from .shapes import CLASS_PARTS, CLASSES, PARTS, sample_object

STREAMS = {'train': 0, 'val': 1, 'test': 2}
"""Number that separates the random streams of the splits."""

SCAN_DENSITY = 3
"""Points drawn on an object per point kept of its scan: about two thirds are hidden from the camera."""


@DATASETS.register_module()
class ProceduralShapes(PointCloudDataset):
    """Sixteen parametric object classes with part labels, generated in memory from a seed.

    Object i of a split depends on the seed, the split and i alone: a larger dataset begins with the objects
    of a smaller one, and no two splits share an object. Classes take turns (label = i mod 16). Points have y
    up and are centred and scaled to the unit sphere. ``trainval`` is ``train`` followed by ``val_fraction``
    as many objects of ``val``.

    Args:
        num_samples (int): objects in the split.
        num_points (int): points per object.
        seed (int): another seed gives other objects.
        split (str): ``train``, ``val``, ``trainval`` or ``test``.
        scan (bool): corrupt every object as a depth camera would: rotation about the up axis and a small
            tilt, one-sided occlusion, floor and wall points (part -1), jitter.
        scan_settings (dict | None): fields of :class:`ScanSettings` to change.
        val_fraction (float): share of val objects that ``trainval`` adds.

    Raises:
        ValueError: an unknown split, or no objects or points asked for.
    """

    classes = CLASSES

    def __init__(
        self,
        num_samples: int = 2000,
        *,
        num_points: int = 1024,
        seed: int = 0,
        split: str = 'train',
        scan: bool = False,
        scan_settings: dict | None = None,
        val_fraction: float = 0.1,
    ) -> None:
        if num_samples < 1 or num_points < 1:
            raise InvalidValueError(
                f'num_samples={num_samples} and num_points={num_points} must be at least 1.'
            )
        self.num_samples = num_samples
        self.num_points = num_points
        self.seed = seed
        self.scan = scan
        self.scan_settings = ScanSettings(**(scan_settings or {}))
        super().__init__(split=split, val_fraction=val_fraction, normalize='unit_sphere')

    @classmethod
    def preparation_from(cls, settings: Mapping[str, Any]) -> Preparation:
        """To the unit sphere, with as many points as the shapes have; see the base class."""
        return Preparation(normalize='unit_sphere', num_points=settings['num_points'])

    @property
    def metainfo(self) -> dict:
        """Classes, dataset name, and parts: ``parts`` (names by id), ``class_parts`` (ids by class)."""
        return dict(**super().metainfo, parts=PARTS, class_parts=CLASS_PARTS)

    def load(self, subset: str) -> Clouds:
        """Generate the objects; ``subset`` is implied by the split."""
        if self.split == 'trainval':
            names = [('train', i) for i in range(self.num_samples)]
            names += [('val', i) for i in range(round(self.val_fraction * self.num_samples))]
        else:
            names = [(self.split, i) for i in range(self.num_samples)]
        points = np.empty((len(names), self.num_points, 3))
        parts = np.empty((len(names), self.num_points), dtype=np.int64)
        for row, (split, index) in enumerate(names):
            points[row], parts[row] = self._generate(split, index)
        return Clouds(
            points=points,
            labels=np.array([index % len(CLASSES) for _, index in names]),
            parts=parts,
            sources=[f'procedural/{split}[{index}]' for split, index in names],
        )

    def _select(self, clouds: Clouds) -> Clouds:
        """Every split has objects of its own, so nothing is held out."""
        return clouds

    def _generate(self, split: str, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Points (N, 3) and parts (N,) of one object."""
        rng = np.random.default_rng([self.seed, STREAMS[split], index])
        count = self.num_points * (SCAN_DENSITY if self.scan else 1)
        points, parts = sample_object(index % len(CLASSES), rng, count)
        if self.scan:
            points, parts = scan_object(
                unit_sphere(points), parts, rng, num_points=self.num_points, settings=self.scan_settings
            )
        return points, parts
