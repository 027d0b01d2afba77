"""The stratified held-out split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from point_peft.datasets.splits import check_split, stratified_split


def test_every_class_gives_its_share() -> None:
    """20 objects of class 0 and 10 of class 1 at 10 % give 2 and 1."""
    labels = np.array([0] * 20 + [1] * 10)
    kept, held_out = stratified_split(labels, fraction=0.1, seed=0)
    assert np.bincount(labels[held_out]).tolist() == [2, 1]
    assert np.bincount(labels[kept]).tolist() == [18, 9]


@settings(max_examples=50)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.floats(0, 0.95), st.integers(0, 100))
def test_partition(labels: list[int], fraction: float, seed: int) -> None:
    """The two sides are disjoint, complete, repeatable, and no class is held out whole."""
    values = np.array(labels)
    kept, held_out = stratified_split(values, fraction=fraction, seed=seed)
    assert sorted([*kept, *held_out]) == list(range(len(labels)))
    assert set(values[kept]) == set(labels)
    again = stratified_split(values, fraction=fraction, seed=seed)
    assert np.array_equal(kept, again[0]) and np.array_equal(held_out, again[1])


def test_a_small_class_is_held_out_too() -> None:
    """Two objects at 10 % give one; a single object stays."""
    labels = np.array([0, 0, 1])
    assert labels[stratified_split(labels, fraction=0.1, seed=3)[1]].tolist() == [0]


def test_seed_changes_the_choice() -> None:
    """Another seed holds out other objects."""
    labels = np.zeros(100, dtype=int)
    chosen = [tuple(stratified_split(labels, fraction=0.2, seed=seed)[1]) for seed in range(3)]
    assert len(set(chosen)) == 3


@pytest.mark.parametrize('fraction', [-0.1, 1.0])
def test_bad_fraction(fraction: float) -> None:
    """A fraction outside [0, 1) is refused."""
    with pytest.raises(ValueError, match='fraction'):
        stratified_split(np.zeros(4, dtype=int), fraction=fraction, seed=0)


def test_bad_name() -> None:
    """An unknown split names the known ones."""
    assert check_split('trainval') == 'trainval'
    with pytest.raises(
        ValueError, match="split='training' is unknown; choose one of train, val, trainval, test"
    ):
        check_split('training')
