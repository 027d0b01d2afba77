"""Objects whose points carry part labels: what part segmentation adds to a dataset."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .base import PointCloudDataset


@dataclass(frozen=True)
class PointDraw:
    """Which points of an object an item has.

    Random draws use torch's global generator, so the run's seed decides them, and a new one is made at every access.
    Fixed draws depend on the object's name alone.

    Attributes:
        num_points (int | None): points of an item; an object that has fewer repeats some. None keeps all, in order.
        random (bool): whether to draw anew at every access.
        with_replacement (bool): whether a point may be drawn twice although others are left.
    """

    num_points: int | None
    random: bool
    with_replacement: bool = False

    def __post_init__(self) -> None:
        """Refuse an empty draw."""
        if self.num_points is not None and self.num_points < 1:
            raise ValueError(f'num_points={self.num_points} must be at least 1, or None for all points.')

    def __call__(self, size: int, name: str) -> Tensor:
        """Positions (num_points,) int64 among ``size`` points of the object ``name``."""
        if self.num_points is None:
            return torch.arange(size)
        generator = None if self.random else torch.Generator().manual_seed(zlib.crc32(name.encode()))
        if self.with_replacement:
            return torch.randint(size, (self.num_points,), generator=generator)
        distinct = torch.randperm(size, generator=generator)[: self.num_points]
        repeats = torch.randint(size, (self.num_points - len(distinct),), generator=generator)
        return torch.cat([distinct, repeats])


class PartDataset(PointCloudDataset):
    """Base of datasets for part segmentation; :attr:`classes` are the categories.

    The category of an object is known to the model, so it is one of the inputs. Points are drawn here, with their
    labels, and not in the data preprocessor, which may then neither subsample nor shuffle.

    Attributes:
        parts (tuple[str, ...]): name of every part, by its global id.
        class_parts (Mapping[str, tuple[int, ...]]): global ids of the parts of every category.
        draw (PointDraw): chooses the points of an item; a subclass sets it.
    """

    parts: tuple[str, ...] = ()
    class_parts: Mapping[str, tuple[int, ...]] = {}
    draw: PointDraw

    @property
    def metainfo(self) -> dict:
        """Facts of the base class, ``parts`` (names by id) and ``class_parts`` (ids by category)."""
        return {**super().metainfo, 'parts': self.parts, 'class_parts': dict(self.class_parts)}

    def __getitem__(self, index: int) -> dict:
        """Object ``index``.

        Returns:
            dict: ``inputs`` = dict(points=(num_points, 3) float32, category=() int64), ``data_samples`` =
            PointDataSample with ``gt_part`` (num_points,) int64 global ids, ``category`` and ``gt_label`` () int64
            (the same number), and the meta fields ``sample_idx``, ``source``.
        """
        item = super().__getitem__(index)
        points, sample = item['inputs']['points'], item['data_samples']
        chosen = self.draw(len(points), sample.source.removeprefix(str(self.data_root)))
        sample.gt_part = sample.gt_part[chosen]
        sample.category = sample.gt_label.clone()
        return dict(inputs=dict(points=points[chosen], category=sample.category), data_samples=sample)
