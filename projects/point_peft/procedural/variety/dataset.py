"""The dataset of procedural objects for pre-training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from ...datasets.normalize import unit_sphere
from ...datasets.orientation import check_up, turn_up
from ...io.errors import InvalidValueError
from ...registry import DATASETS
from ...structures import PointDataSample
from ..dataset import SCAN_DENSITY
from ..scan import ScanSettings, scan_object
from .recipes import CLASSES, PARTS, sample_variety


@DATASETS.register_module()
class ProceduralVariety(Dataset):
    """Objects of 67 procedural classes with part labels: the 16 built-in ones and 51 more, for pre-training.

    Every access makes a new object, so that no epoch sees the object of another. Classes take turns; all else comes
    from a seed that torch's generator draws, so a run that seeds its epochs (``EpochSeedHook``) makes the same objects
    again when it is repeated or resumed. None of them is one of :class:`ProceduralShapes`, whose random streams are
    others.

    Args:
        num_samples (int): objects per epoch.
        num_points (int): points per object.
        scan_share (float): share of the objects that are seen as by a depth camera, as ``ProceduralShapes(scan=True)``
            does: one side only, with floor and wall (part -1) and noise.
        up (str): axis that points up, ``x``, ``y`` or ``z``.
        favoured (Sequence[str]): classes that are drawn ``favour`` times as often as the others.
        favour (int): how often.

    Raises:
        ValueError: an unknown axis or class, a share outside [0, 1], or no objects or points asked for.
    """

    STREAM = 3
    """Number that separates these objects from those of the splits of the built-in dataset."""

    def __init__(
        self,
        num_samples: int = 8000,
        *,
        num_points: int = 1024,
        scan_share: float = 0.0,
        up: str = 'y',
        favoured: Sequence[str] = (),
        favour: int = 3,
    ) -> None:
        if num_samples < 1 or num_points < 1:
            raise InvalidValueError(
                f'num_samples={num_samples} and num_points={num_points} must be at least 1.'
            )
        if not 0 <= scan_share <= 1:
            raise InvalidValueError(f'scan_share={scan_share} is outside [0, 1].')
        self.num_samples = num_samples
        self.num_points = num_points
        self.scan_share = scan_share
        self.up = check_up(up)
        unknown = sorted(set(favoured) - set(CLASSES))
        if unknown:
            raise InvalidValueError(
                f"favoured has '{unknown[0]}', which is none of the classes {', '.join(CLASSES)}."
            )
        turns = [*CLASSES, *[name for name in CLASSES if name in favoured] * (favour - 1)]
        self.turns = [CLASSES.index(name) for name in turns]

    @property
    def metainfo(self) -> dict:
        """Classes, parts and dataset name."""
        return dict(classes=CLASSES, parts=PARTS, dataset=type(self).__name__)

    def __len__(self) -> int:
        """Objects per epoch."""
        return self.num_samples

    def __getitem__(self, index: int) -> dict:
        """A new object of the class whose turn it is at ``index``.

        Returns:
            dict: ``inputs`` = dict(points=(N, 3) float32) within the unit sphere, ``data_samples`` with ``gt_label``
            and ``gt_part`` (N,).
        """
        seed = int(torch.randint(2**62, ()))
        label = self.turns[index % len(self.turns)]
        points, parts = self._generate(label, np.random.default_rng([self.STREAM, seed]))
        sample = PointDataSample(metainfo=dict(sample_idx=index, source=f'{CLASSES[label]} from seed {seed}'))
        sample.gt_label = torch.tensor(label)
        sample.gt_part = torch.from_numpy(parts)
        return dict(inputs=dict(points=torch.from_numpy(points.astype(np.float32))), data_samples=sample)

    def _generate(self, label: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Points (N, 3) and parts (N,) of one object."""
        if rng.random() >= self.scan_share:
            points, parts = sample_variety(label, rng, self.num_points)
        else:
            points, parts = sample_variety(label, rng, SCAN_DENSITY * self.num_points)
            points, parts = scan_object(
                unit_sphere(points), parts, rng, num_points=self.num_points, settings=ScanSettings()
            )
        return turn_up(unit_sphere(points), 'y', self.up), parts
