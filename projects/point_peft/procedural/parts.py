"""The built-in shapes for part segmentation."""

from __future__ import annotations

from ..datasets.part_dataset import PartDataset, PointDraw
from ..registry import DATASETS
from .dataset import ProceduralShapes
from .shapes import CLASS_PARTS, PARTS


@DATASETS.register_module()
class ProceduralParts(PartDataset, ProceduralShapes):
    """:class:`ProceduralShapes` with the interface of part segmentation: 16 categories, 53 parts.

    Its clean objects only: points of floor and wall in a scan belong to no part.

    Args:
        num_samples (int): objects in the split.
        num_points (int): points per object.
        seed (int): another seed gives other objects.
        split (str): ``train``, ``val``, ``trainval`` or ``test``.
        val_fraction (float): share of val objects that ``trainval`` adds.
        random_points (bool | None): put the points in a new order at every access; None means for ``train`` and
            ``trainval`` only.
    """

    parts = PARTS
    class_parts = CLASS_PARTS

    def __init__(
        self,
        num_samples: int = 2000,
        *,
        num_points: int = 1024,
        seed: int = 0,
        split: str = 'train',
        val_fraction: float = 0.1,
        random_points: bool | None = None,
    ) -> None:
        if random_points is None:
            random_points = split in ('train', 'trainval')
        self.draw = PointDraw(num_points, random_points)
        super().__init__(
            num_samples, num_points=num_points, seed=seed, split=split, val_fraction=val_fraction
        )
