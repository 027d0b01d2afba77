"""Means, spreads and intervals."""

from __future__ import annotations

import numpy as np
import pytest

from point_peft.experiments import mean_and_spread, paired_difference


def test_mean_and_spread() -> None:
    """The deviation is that of a sample; one value has none."""
    assert mean_and_spread([1.0, 2.0, 3.0]) == (2.0, 1.0)
    assert mean_and_spread([5.0]) == (5.0, None)


def test_constant_difference() -> None:
    """Pairs that all differ by the same have an interval of no width, however the values spread."""
    found = paired_difference([3.0, 53.0, 103.0], [1.0, 51.0, 101.0])
    assert found == (2.0, 2.0, 2.0) and found.is_significant


def test_interval_covers() -> None:
    """With many pairs, nine of ten or more intervals hold the true mean, and it is as wide as theory says."""
    rng = np.random.default_rng(0)
    covered, widths = 0, []
    for _ in range(100):
        reference = rng.normal(80, 5, size=40)
        found = paired_difference(reference + rng.normal(1, 2, size=40), reference)
        covered += found.low <= 1 <= found.high
        widths.append(found.high - found.low)
    assert covered >= 90
    assert np.mean(widths) == pytest.approx(2 * 1.96 * 2 / 40**0.5, rel=0.1)


def test_few_pairs() -> None:
    """One pair says nothing; unequal numbers are refused."""
    assert paired_difference([1.0], [2.0]) is None
    with pytest.raises(ValueError, match='same draws'):
        paired_difference([1.0, 2.0], [1.0])
