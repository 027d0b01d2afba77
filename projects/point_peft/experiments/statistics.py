"""Means, spreads and paired differences."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..io.errors import InvalidValueError

RESAMPLES = 10_000
LEVEL = 95
"""Percent of an interval."""


class Interval(NamedTuple):
    """A mean with its bootstrap interval.

    Attributes:
        mean (float): The mean.
        low (float): Lower end.
        high (float): Upper end.
    """

    mean: float
    low: float
    high: float

    @property
    def is_significant(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def mean_and_spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation; one value has no deviation."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def paired_difference(
    values: Sequence[float], reference: Sequence[float], *, seed: int = 0
) -> Interval | None:
    """Mean of the differences within pairs, with its 95 % percentile bootstrap interval over the pairs.

    With few pairs such an interval is too narrow (it cannot leave the range of the differences): with three it covers
    the true mean in about 75 % of cases only, so read it together with the number of pairs.

    Args:
        values (Sequence[float]): Results, one per draw.
        reference (Sequence[float]): Results of the reference in the same draws.
        seed (int): Seed of the resampling.

    Returns:
        Interval | None: None for fewer than two pairs.
    """
    if len(values) != len(reference):
        raise InvalidValueError(
            f'{len(values)} results came with {len(reference)} of the reference; give the same draws.'
        )
    if len(values) < 2:
        return None
    differences = np.subtract(values, reference, dtype=np.float64)
    index = np.random.default_rng(seed).integers(len(differences), size=(RESAMPLES, len(differences)))
    means = differences[index].mean(axis=1)
    tail = (100 - LEVEL) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return Interval(float(differences.mean()), float(low), float(high))
