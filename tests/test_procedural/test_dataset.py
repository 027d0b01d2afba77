"""The built-in dataset."""

from __future__ import annotations

import time

import numpy as np
import pytest

from point_peft.procedural import ProceduralShapes
from point_peft.registry import DATASETS


@pytest.mark.parametrize('scan', [False, True])
def test_items(scan: bool) -> None:
    """Normalised clouds with label, parts and source; classes take turns."""
    dataset = DATASETS.build(dict(type='ProceduralShapes', num_samples=20, num_points=128, scan=scan))
    assert len(dataset) == 20
    item = dataset[17]
    assert item['inputs']['points'].shape == (128, 3)
    assert item['inputs']['points'].norm(dim=1).max().item() == pytest.approx(1, abs=1e-5)
    sample = item['data_samples']
    assert sample.gt_label == 1 and sample.source == 'procedural/train[17]'
    allowed = set(dataset.metainfo['class_parts'][dataset.classes[1]]) | ({-1} if scan else set())
    assert set(sample.gt_part.tolist()) <= allowed


@pytest.mark.parametrize('scan', [False, True])
def test_deterministic_by_seed(scan: bool) -> None:
    """The same seed gives the same objects, another seed others."""
    first, second, other = (ProceduralShapes(16, num_points=32, seed=seed, scan=scan) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.clouds.points, second.clouds.points)
    np.testing.assert_array_equal(first.clouds.parts, second.clouds.parts)
    assert not (first.clouds.points == other.clouds.points).any(axis=(1, 2)).any()


def test_larger_begins_with_smaller() -> None:
    """Object i does not depend on how many there are."""
    np.testing.assert_array_equal(
        ProceduralShapes(40, num_points=32).clouds.points[:20],
        ProceduralShapes(20, num_points=32).clouds.points,
    )


def test_splits_share_no_object() -> None:
    """train, val and test are disjoint; trainval is train and then the first of val."""
    clouds = {
        split: ProceduralShapes(32, num_points=16, split=split).clouds for split in ('train', 'val', 'test')
    }
    rows = np.concatenate([part.points.reshape(32, -1) for part in clouds.values()])
    assert len(np.unique(rows, axis=0)) == 96
    both = ProceduralShapes(32, num_points=16, split='trainval', val_fraction=0.25).clouds
    np.testing.assert_array_equal(both.points[:32], clouds['train'].points)
    np.testing.assert_array_equal(both.points[32:], clouds['val'].points[:8])
    assert both.sources[-1] == 'procedural/val[7]' and both.labels[-1] == 7


def test_balanced() -> None:
    """Every class has the same number of objects."""
    assert set(ProceduralShapes(64, num_points=16, split='test').class_counts().values()) == {4}


def test_speed() -> None:
    """200 objects take well under a second and a half on a busy core (6 s would be 2000 in 60 s)."""
    begin = time.perf_counter()
    ProceduralShapes(200, num_points=1024)
    assert time.perf_counter() - begin < 1.5


def test_bad_settings() -> None:
    """Unknown split, nothing asked for, an unknown scan setting."""
    with pytest.raises(ValueError, match="split='all'"):
        ProceduralShapes(split='all')
    with pytest.raises(ValueError, match='num_samples=0'):
        ProceduralShapes(0)
    with pytest.raises(TypeError, match='fog'):
        ProceduralShapes(16, scan=True, scan_settings=dict(fog=1.0))
