"""ShapeNetPart (Yi et al., SIGGRAPH Asia 2016): objects of 16 categories with 50 parts."""

from __future__ import annotations

from pathlib import Path

from ..io.required import require_path
from ..registry import DATASETS
from .clouds import Clouds
from .part_dataset import PartDataset, PointDraw
from .shapenetpart_classes import CATEGORIES, CATEGORY_PARTS, ORIGIN, PARTS
from .shapenetpart_files import SPLIT_DIR, read_lists
from .shapenetpart_npz import PATTERN, read_npz

SUBSETS = {'train': ('train',), 'val': ('val',), 'trainval': ('train', 'val'), 'test': ('test',)}
"""Published lists that form every split."""


@DATASETS.register_module()
class ShapeNetPart(PartDataset):
    """Objects of about 2600 points with a part label each; the layout is recognised by its files.

    - ``shapenetcore_partanno_segmentation_benchmark_v0_normal``: ``SYNSET/ID.txt`` with rows
      ``x y z nx ny nz part``, the part as its global id.
    - ``shapenetcore_partanno_segmentation_benchmark_v0``: ``SYNSET/points/ID.pts`` and
      ``SYNSET/points_label/ID.seg``, the part counted from 1 in every category.
    - one ``CATEGORY_SPLIT.npz`` (such as ``cap_test.npz``) per category and split, with ``pos`` (T, 3), ``part`` (T,)
      global ids and ``offsets`` (M + 1,) of the M objects.

    The first two come with ``train_test_split/shuffled_{train,val,test}_file_list.json``. Every object is normalised as
    a whole before its points are drawn.

    Args:
        data_root (str | Path): directory of one of the layouts.
        split (str): ``train`` or ``val`` (the published lists), ``trainval`` (both) or ``test``.
        num_points (int | None): points drawn of every object; None keeps all.
        normalize (str | None): ``unit_sphere``, as published, or None.
        random_points (bool | None): draw anew at every access; None means for ``train`` and ``trainval`` only.
        with_replacement (bool): let points be drawn repeatedly, as the published loaders do.

    Raises:
        DatasetNotFoundError: a directory, split list or object is missing.
        DatasetError: an object is empty, or has a part label outside its category or none for some points.
    """

    classes = CATEGORIES
    parts = PARTS
    class_parts = CATEGORY_PARTS
    holds_out = False

    def __init__(
        self,
        data_root: str | Path,
        *,
        split: str = 'train',
        num_points: int | None = 2048,
        normalize: str | None = 'unit_sphere',
        random_points: bool | None = None,
        with_replacement: bool = False,
    ) -> None:
        if random_points is None:
            random_points = split in ('train', 'trainval')
        self.draw = PointDraw(num_points, random_points, with_replacement)
        root = require_path(Path(data_root), dataset='ShapeNetPart', origin=ORIGIN)
        super().__init__(root, split=split, normalize=normalize)

    def load(self, subset: str) -> Clouds:
        """Read the published subsets of the split in the layout that is there."""
        is_npz = not (self.data_root / SPLIT_DIR).exists() and any(self.data_root.glob(PATTERN))
        return (read_npz if is_npz else read_lists)(self.data_root, SUBSETS[self.split])
