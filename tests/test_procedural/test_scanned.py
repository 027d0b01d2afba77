"""Scans of the objects of other datasets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from point_peft.registry import DATASETS

SHAPES = dict(type='ProceduralShapes', num_samples=32, num_points=512, split='test')
ALONE = dict(background=(0.0, 0.0), jitter=0.0, tilt=0.0)


def build(**settings: Any) -> Any:
    return DATASETS.build(dict(type='Scanned', dataset=SHAPES, **{'up': 'y', **settings}))


def points_of(dataset: Any, index: int) -> np.ndarray:
    return dataset[index]['inputs']['points'].numpy()


def test_same_scan_every_time() -> None:
    """A scan depends on the seed and the position alone; label and source are the object's."""
    first, again, other = build(), build(), build(seed=1)
    assert len(first) == 32 and first.class_counts() == first.dataset.class_counts()
    np.testing.assert_array_equal(points_of(first, 5), points_of(again, 5))
    assert not np.array_equal(points_of(first, 5), points_of(other, 5))
    item = first[5]
    assert int(item['data_samples'].gt_label) == first.dataset.labels[5]
    assert item['inputs']['points'].dtype == first.dataset[5]['inputs']['points'].dtype
    radius = np.linalg.norm(points_of(first, 5), axis=1).max()
    assert points_of(first, 5).shape == (512, 3) and radius == pytest.approx(1, abs=1e-5)


def test_what_is_hidden_is_gone() -> None:
    """Without noise and room, seen points are points of the object, and fewer of them; heights are those about up."""
    dataset = build(scan_settings=ALONE)
    for index in range(4):
        seen = np.unique(points_of(dataset, index), axis=0)
        assert 30 < len(seen) < 512
    for up, axis in (('y', 1), ('z', 2)):
        whole = dict(ALONE, cell=1e-3)  # pixels so small that no point hides another
        turned = build(up=up, scan_settings=whole)
        before = turned.dataset[0]['inputs']['points'].numpy()[:, axis]
        after = points_of(turned, 0)[:, axis]
        spans = [np.ptp(values) for values in (before, after)]
        assert spans[1] == pytest.approx(spans[0], rel=0.15)  # a turn about the up axis keeps heights


def test_parts_of_seen_points() -> None:
    """Points of the room belong to no part."""
    parts = build(scan_settings=dict(background=(0.3, 0.3)))[0]['data_samples'].gt_part
    assert (parts == -1).any() and (parts >= 0).any() and len(parts) == 512


@pytest.mark.parametrize('settings', [dict(up='w'), dict(scan_settings=dict(tilt_angle=1))])
def test_settings(settings: dict) -> None:
    """What is unknown is refused with what there is."""
    with pytest.raises(ValueError, match='choose one of x, y, z|it may have tilt'):
        build(**settings)
