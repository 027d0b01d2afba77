"""Objects whose points are spread as evenly as those of common data sets, for pre-training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..io.errors import InvalidValueError
from ..ops import farthest_point_sample
from ..registry import DATASETS
from .wrapped import WrappedDataset

FAR_APART = 8.0
"""Between two sides that are sampled as one cloud; objects are in the unit sphere."""


@DATASETS.register_module()
class EvenlySpread(WrappedDataset):
    """Fewer points of another dataset's objects, evenly spread on some of them and drawn at random on the others.

    Files of ModelNet, ShapeNet and ScanObjectNN are sampled farthest point first, or a model starts with doing so;
    fresh samples of a mesh lie at random, in clumps. An encoder that knows one kind alone finds the other odd. Where a
    CAD model's walls have two sides, there are even points on both: on ``two_sided`` of the even objects each half of
    the points is even by itself. Torch's generator decides, anew at every access.

    Args:
        dataset (dict): config of a dataset with more points per object than are wanted; twice as many are even enough.
        num_points (int): points of an object.
        share (float): share of the objects whose points are even.
        two_sided (float): share of those with two even halves.

    Raises:
        ValueError: a share is outside [0, 1], or an object has fewer points than are wanted.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any],
        *,
        num_points: int = 1024,
        share: float = 0.5,
        two_sided: float = 0.3,
    ) -> None:
        for name, value in (('share', share), ('two_sided', two_sided)):
            if not 0 <= value <= 1:
                raise InvalidValueError(f'{name}={value} is outside [0, 1].')
        super().__init__(dataset)
        self.num_points, self.share, self.two_sided = num_points, share, two_sided

    def __getitem__(self, index: int) -> dict:
        """Object ``index`` with ``num_points`` points, in random order, and their parts."""
        item = super().__getitem__(index)
        points, sample = item['inputs']['points'], item['data_samples']
        if len(points) < self.num_points:
            raise InvalidValueError(
                f'object {index} has {len(points)} points, but num_points={self.num_points} of EvenlySpread; raise '
                "the dataset's own num_points."
            )
        chosen = self._choose(points[:, :3])
        item['inputs']['points'] = points[chosen]
        if 'gt_part' in sample:
            sample.gt_part = sample.gt_part[chosen]
        return item

    def _choose(self, points: Tensor) -> Tensor:
        """Indices (num_points,) of the points (N, 3) that stay."""
        order = torch.randperm(len(points))
        if float(torch.rand(())) >= self.share:
            return order[: self.num_points]
        places = points[order]
        if float(torch.rand(())) < self.two_sided:
            # the sides are sampled far apart from each other, so that each is even by itself
            places = torch.cat([places[: len(order) // 2], places[len(order) // 2 :] + FAR_APART])
        picked = farthest_point_sample(places.unsqueeze(0), self.num_points)[0]
        return order[picked[torch.randperm(self.num_points)]]

    def __repr__(self) -> str:
        """Settings and underlying dataset."""
        return f'EvenlySpread(num_points={self.num_points}, share={self.share}, {self.dataset!r})'
