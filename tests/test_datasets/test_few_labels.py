"""Training sets with few labels."""

from __future__ import annotations

import pytest

from point_peft.io.errors import DatasetError
from point_peft.registry import DATASETS

SHAPES = dict(
    type='ProceduralShapes', num_samples=64, num_points=64, split='train'
)  # 4 of each of 16 classes


def build(**settings: object) -> object:
    return DATASETS.build(dict(type='FewLabels', dataset=SHAPES, **settings))


def test_per_class() -> None:
    """Every class has as many; fewer are the first of more; another seed draws others."""
    one, three, other = build(per_class=1), build(per_class=3), build(per_class=1, seed=1)
    assert set(three.class_counts().values()) == {3} and len(three) == 48
    assert set(one.index) < set(three.index) and list(one.index) != list(other.index)
    item, source = three[5], int(three.index[5])
    assert int(item['data_samples'].gt_label) == three.labels[5] == three.dataset.labels[source]
    assert item['data_samples'].sample_idx == 5
    assert item['inputs']['points'].equal(three.dataset[source]['inputs']['points'])


def test_fraction() -> None:
    """A share of every class, at least one object."""
    assert set(build(fraction=0.5).class_counts().values()) == {2}
    assert set(build(fraction=0.01).class_counts().values()) == {1}
    assert len(build(fraction=1.0)) == 64


@pytest.mark.parametrize(
    'settings', [{}, dict(per_class=1, fraction=0.5), dict(per_class=0), dict(fraction=1.5)]
)
def test_settings(settings: dict) -> None:
    """Neither, both or something out of range is refused."""
    with pytest.raises(ValueError, match='per_class|fraction'):
        build(**settings)


def test_too_few() -> None:
    """A class that has not enough objects is named."""
    with pytest.raises(DatasetError, match="class 'airplane' has 4 objects"):
        build(per_class=5)
