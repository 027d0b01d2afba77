"""The stratified held-out split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from point_peft.datasets.splits import check_split, named_split, share_of, stratified_split


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


@pytest.mark.parametrize('count', [1, 2, 3, 5, 10, 40])
@pytest.mark.parametrize('pattern', ['{:03d}', 'scan_{}_final', '{:x}a'])
def test_by_name(count: int, pattern: str) -> None:
    """Every class of two or more has both sides, about the fraction is held out, and val is no part of test."""
    names = [f'{kind}/{pattern.format(i)}' for kind in 'abcdef' for i in range(count)]
    labels = np.repeat(np.arange(6), count)
    rest, test = named_split(names, labels, fraction=0.2, salt='0')
    np.testing.assert_array_equal(np.sort(np.concatenate([rest, test])), np.arange(6 * count))
    assert (np.bincount(labels[rest], minlength=6) >= 1).all()
    assert (np.bincount(labels[test], minlength=6) >= (count > 1)).all()
    if count >= 10:
        assert 0.1 <= len(test) / len(names) <= 0.3
    train, val = named_split([names[i] for i in rest], labels[rest], fraction=0.1, salt='0', after=0.2)
    assert len(train) + len(val) == len(rest)
    if count >= 40:
        assert 0.03 <= len(val) / len(names) <= 0.15
    assert len(named_split(names, labels, fraction=0, salt='0')[1]) == 0


def test_by_name_is_stable() -> None:
    """Whatever is added, in whatever order, the others stay; case and normal form do not count."""
    names = [f'a/{i:03d}' for i in range(30)]
    _, before = named_split(names, np.zeros(30), fraction=0.2, salt='0')
    more = ['a/0', 'a/000_b', 'a/zzz', *(f'a/{i:03d}' for i in range(30, 60)), *names[::-1]]
    _, after = named_split(more, np.zeros(len(more)), fraction=0.2, salt='0')
    assert {names[i] for i in before} == {more[i] for i in after} & set(names)
    assert share_of('Café/A1', '0') == share_of('cafe\u0301/a1', '0')
    assert share_of('a/1', '0') != share_of('a/1', '1')
    assert 0 <= share_of('a/\udcff' + '9' * 200, '0') < 1


def test_numbered_names_are_spread() -> None:
    """Ten numbered files have two in any fifth of [0, 1), give or take one; so no class lacks a test file by chance."""
    for salt in map(str, range(50)):
        shares = np.array([share_of(f'chair/{i:04d}', salt) for i in range(3, 13)])
        for start in np.linspace(0, 1, 20):
            assert 1 <= (((shares - start) % 1) < 0.2).sum() <= 3
