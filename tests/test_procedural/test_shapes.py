"""The object classes and their parts."""

from __future__ import annotations

import numpy as np
import pytest

from point_peft.procedural.shapes import CLASS_PARTS, CLASSES, PARTS, sample_object


def test_part_ids_are_global() -> None:
    """Parts are numbered through all classes in order, each belonging to one."""
    assert len(CLASSES) >= 10 and list(CLASSES) == sorted(CLASSES)
    assert [part for name in CLASSES for part in CLASS_PARTS[name]] == list(range(len(PARTS)))
    assert all(2 <= len(parts) <= 4 for parts in CLASS_PARTS.values())
    assert PARTS[CLASS_PARTS['chair'][1]] == 'chair/leg'


@pytest.mark.parametrize('label', range(len(CLASSES)))
def test_every_class(label: int) -> None:
    """Finite points of the class's own parts; over many objects each part occurs and sizes differ."""
    seen: set[int] = set()
    extents = []
    for seed in range(60):
        points, parts = sample_object(label, np.random.default_rng(seed), 256)
        assert points.shape == (256, 3) and parts.shape == (256,)
        assert np.isfinite(points).all() and np.abs(points).max() < 10
        assert len(np.unique(points, axis=0)) == 256
        seen |= set(parts.tolist())
        extents.append(np.ptp(points, axis=0))
    assert seen == set(CLASS_PARTS[CLASSES[label]])
    assert (np.std(extents, axis=0) / np.mean(extents, axis=0)).max() > 0.1


def test_points_and_parts_stay_together() -> None:
    """The seat of a chair lies above its feet."""
    chair = CLASSES.index('chair')
    seat, leg = CLASS_PARTS['chair'][:2]
    for seed in range(10):
        points, parts = sample_object(chair, np.random.default_rng(seed), 1024)
        assert points[parts == seat, 1].min() > np.quantile(points[parts == leg, 1], 0.3)


def test_random_order() -> None:
    """The first half of the points shows every large part, so taking the first points thins evenly."""
    _, parts = sample_object(CLASSES.index('table'), np.random.default_rng(1), 2000)
    for part in np.unique(parts):
        share = (parts == part).mean()
        assert (parts[:1000] == part).mean() == pytest.approx(share, abs=0.05)
