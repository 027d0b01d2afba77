"""Categories and parts of ShapeNetPart, in the order of the benchmark."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from ..io.errors import DatasetError

ORIGIN = 'https://shapenet.cs.stanford.edu/media/shapenetcore_partanno_segmentation_benchmark_v0_normal.zip'

SYNSETS = {
    '02691156': ('Airplane', 4),
    '02773838': ('Bag', 2),
    '02954340': ('Cap', 2),
    '02958343': ('Car', 4),
    '03001627': ('Chair', 4),
    '03261776': ('Earphone', 3),
    '03467517': ('Guitar', 3),
    '03624134': ('Knife', 2),
    '03636649': ('Lamp', 4),
    '03642806': ('Laptop', 2),
    '03790512': ('Motorbike', 6),
    '03797390': ('Mug', 2),
    '03948459': ('Pistol', 3),
    '04099429': ('Rocket', 3),
    '04225987': ('Skateboard', 3),
    '04379243': ('Table', 3),
}
"""Name and number of parts of every category by its synset, as ``synsetoffset2category.txt`` lists them."""

CATEGORIES = tuple(name for name, _ in SYNSETS.values())
"""Names of the categories in label order."""

CATEGORY_OF_SYNSET = {synset: index for index, synset in enumerate(SYNSETS)}
"""Label of a category by its synset."""

_ENDS = tuple(accumulate(count for _, count in SYNSETS.values()))

CATEGORY_PARTS = {name: tuple(range(end - count, end)) for (name, count), end in zip(SYNSETS.values(), _ENDS)}
"""Global part ids, 0 to 49, of every category."""

PARTS = tuple(f'{name}/{number}' for name, count in SYNSETS.values() for number in range(1, count + 1))
"""Names of the parts by global id; the benchmark numbers the parts of a category but does not name them."""


def check_parts(labels: np.ndarray, category: int, source: str, *, shift: int = 0) -> np.ndarray:
    """Turn the labels of a file into global part ids.

    Args:
        labels (np.ndarray): (N,) numbers.
        category (int): label of the object's category.
        source (str): name of the object, for the message.
        shift (int): what the file's numbers lack to be global ids.

    Returns:
        np.ndarray: (N,) uint8.

    Raises:
        DatasetError: a label is none of the category's parts.
    """
    allowed = CATEGORY_PARTS[CATEGORIES[category]]
    outside = ~np.isin(labels + shift, allowed)
    if outside.any():
        point = int(np.argmax(outside))
        raise DatasetError(
            f"'{source}' has part label {labels[point]:g} at point {point}, but the parts of "
            f'{CATEGORIES[category]} are {allowed[0] - shift} to {allowed[-1] - shift} there; correct the label.'
        )
    return (labels + shift).astype(np.uint8)
