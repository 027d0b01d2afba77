"""Colors of labels, the same in every picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

FEW = ('#007869', '#A587FF', '#D2871E', '#A50F00', '#3CD2B4', '#692DC3')
"""Colors that differ by at least 24 (CIEDE2000) from one another, also for eyes that lack one kind of cones. They were
searched for, as none of the published has it: of six colors of Okabe and Ito, Tol, IBM or Petroff it is 17 at most.
Among eight colors no such distance is left."""

MANY = (
    *FEW,
    *('#962D4B', '#C3B469', '#4BA5B4', '#78784B', '#E1A5E1', '#005A78', '#0069FF'),
    *('#87D200', '#7869A5', '#F0004B', '#FF96A5', '#A55A0F', '#B46987', '#78A578'),
)
"""Colors for more labels, as the classes of a scene; they differ by at least 16 for eyes with all cones."""

RIGHT, WRONG = '#0072B2', '#D55E00'
"""Colors of the titles of clouds that are classified right and wrong: blue and vermilion of Okabe and Ito (2008), as
eyes without one kind of cones confuse green and red."""

UNLABELLED = '#BDBDBD'
"""Color of points without a label."""

QUIET = ('#D9D9D9', '#6E6E6E')
"""Greys, from far or low to near or high, of points that are only the ground for boxes in colors."""


def label_colors(labels: Iterable[int]) -> dict[int, str]:
    """Choose colors for labels that are seen together.

    A label's color depends on its number alone while the few colors do, that is for up to six labels in a row, as the
    parts of an object are. Others take the many colors; those that would still meet there are counted.

    Args:
        labels (Iterable[int]): Labels; negative ones mean none.

    Returns:
        dict[int, str]: Color by label, as ``#RRGGBB``.
    """
    distinct = sorted({int(label) for label in labels})
    real = [label for label in distinct if label >= 0]
    fitting = [palette for palette in (FEW, MANY) if len({i % len(palette) for i in real}) == len(real)]
    palette = fitting[0] if fitting else MANY
    place = {label: label if fitting else position for position, label in enumerate(real)}
    return {label: palette[place[label] % len(palette)] if label >= 0 else UNLABELLED for label in distinct}


def shades(labels: np.ndarray, colors: Mapping[int, str]) -> np.ndarray:
    """Color (N,) of every point by its label (N,); labels without a color count as none."""
    distinct, place = np.unique(labels, return_inverse=True)
    return np.array([colors.get(int(label), UNLABELLED) for label in distinct], dtype=object)[
        place.reshape(-1)
    ]
