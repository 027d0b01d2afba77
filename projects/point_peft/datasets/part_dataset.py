"""Objects whose points carry part labels: what part segmentation adds to a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .base import PointCloudDataset
from .draw import PointDraw
from .preparation import Preparation


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

    @classmethod
    def preparation_from(cls, settings: Mapping[str, Any]) -> Preparation:
        """How clouds are prepared, with a fixed draw, as ``val`` and ``test`` have it; see the base class."""
        draw = PointDraw(settings.get('num_points'), False, settings.get('with_replacement', False))
        return replace(super().preparation_from(settings), draw=draw)

    @property
    def metainfo(self) -> dict:
        """Description of the base class, ``parts`` (names by id) and ``class_parts`` (ids by category)."""
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
