"""Procedural objects of many classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from point_peft.procedural import ProceduralVariety
from point_peft.procedural.pieces import drawers
from point_peft.procedural.shapes import CLASSES as BUILT_IN
from point_peft.procedural.shapes import PARTS as BUILT_IN_PARTS
from point_peft.procedural.variety import CLASSES, PARTS, RECIPES, sample_variety


@pytest.mark.parametrize('name', CLASSES)
def test_every_recipe_keeps_its_promises(name: str) -> None:
    """Finite points, parts of its own class only, no empty piece, and no two objects alike."""
    recipe, parts = RECIPES[name]
    seen = set()
    for seed in range(12):
        pieces = recipe(np.random.default_rng(seed))
        assert all(surface.area > 0 for _, surface in pieces)
        seen |= {part for part, _ in pieces}
    assert seen <= set(parts)
    first, second = (sample_variety(CLASSES.index(name), np.random.default_rng(seed), 256) for seed in (1, 2))
    assert np.isfinite(first[0]).all()
    assert {PARTS[i].split('/')[0] for i in first[1]} == {name}
    assert np.abs(first[0] - second[0]).max() > 1e-3


def test_drawers_of_a_low_block() -> None:
    """Fronts are smaller than their places and never turned inside out, whatever the gap between them."""
    for seed in range(300):
        for _, front in drawers(np.random.default_rng(seed), (0.4, 0.06, 0.4), (0, 0, 0), part='drawer'):
            points = front.sample(np.random.default_rng(0), 64)
            assert front.area > 0 and np.ptp(points[:, 1]) > 0.004


def test_built_in_classes_and_parts_come_first() -> None:
    """So their numbers are the same as in the built-in dataset."""
    assert CLASSES[: len(BUILT_IN)] == BUILT_IN
    assert PARTS[: len(BUILT_IN_PARTS)] == BUILT_IN_PARTS
    assert len(set(CLASSES)) == len(CLASSES) and len(set(PARTS)) == len(PARTS)


def test_objects_are_new_at_every_access_and_repeatable() -> None:
    """Torch's generator decides: another object each time, the same ones after the same seed."""
    dataset = ProceduralVariety(70, num_points=64)
    torch.manual_seed(3)
    first, second = dataset[5], dataset[5]
    torch.manual_seed(3)
    again = dataset[5]
    assert torch.equal(first['inputs']['points'], again['inputs']['points'])
    assert not torch.equal(first['inputs']['points'], second['inputs']['points'])
    assert first['data_samples'].gt_label == second['data_samples'].gt_label == 5
    assert first['inputs']['points'].norm(dim=1).max() == pytest.approx(1, abs=1e-5)


def test_up_axis() -> None:
    """z up is y up with the axes exchanged in a cycle, which keeps an object from being mirrored."""
    torch.manual_seed(0)
    y_up = ProceduralVariety(1, num_points=64)[0]['inputs']['points']
    torch.manual_seed(0)
    z_up = ProceduralVariety(1, num_points=64, up='z')[0]['inputs']['points']
    assert torch.equal(z_up, y_up[:, [2, 0, 1]])


def test_favoured_classes_come_more_often() -> None:
    """Three times as often, and all others still come."""
    dataset = ProceduralVariety(69, num_points=8, favoured=('chair',), favour=3)
    labels = [int(dataset[i]['data_samples'].gt_label) for i in range(69)]
    counts = np.bincount(labels, minlength=67)
    assert counts[CLASSES.index('chair')] == 3
    assert (np.delete(counts, CLASSES.index('chair')) == 1).all()


def test_scans_have_background_and_parts() -> None:
    """A scan keeps the number of points; what is not on the object is part -1."""
    dataset = ProceduralVariety(30, num_points=128, scan_share=1.0)
    parts = torch.stack([dataset[i]['data_samples'].gt_part for i in range(30)])
    assert parts.shape == (30, 128)
    assert (parts == -1).any() and (parts >= 0).any(dim=1).all()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(num_samples=0), 'num_samples=0'),
        (dict(scan_share=1.5), 'scan_share=1.5'),
        (dict(up='w'), "up='w'"),
        (dict(favoured=('chiar',)), "'chiar'"),
    ],
)
def test_wrong_arguments(arguments: dict, message: str) -> None:
    """Refused with the value at fault."""
    with pytest.raises(ValueError, match=message):
        ProceduralVariety(**arguments)
