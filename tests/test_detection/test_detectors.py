"""Properties of the detectors that the configs build: empty and small rooms, rooms of one batch, what is frozen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip('mmdet3d')

from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample, PointData
from mmengine.structures import InstanceData
from small_detectors import DETECTORS, small_model
from small_models import fill_bank
from torch import Tensor, nn

pytestmark = [pytest.mark.usefixtures('scope'), pytest.mark.filterwarnings('ignore')]
detectors = pytest.mark.parametrize('detector', DETECTORS)
both_kinds = pytest.mark.parametrize('data', ['scannet', 'shapes_scene'])  # upright boxes, and turned ones
methods = pytest.mark.parametrize('method', ['full', 'linear_probe', 'point_peft', 'lora'])


def room(data: str, *, num_boxes: int = 3, num_points: int = 600, seed: int = 0) -> dict[str, Any]:
    """A room as the pipelines give it: points with height, boxes full of points, masks for upright boxes."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(max(num_boxes, 1), 3, generator=generator) * 3
    place = torch.randint(len(corners), (num_points,), generator=generator)
    xyz = corners[place] + torch.rand(num_points, 3, generator=generator)
    points = torch.cat([xyz, xyz[:, 2:]], dim=1)
    yaw = torch.zeros(num_boxes, 1) if data == 'scannet' else torch.rand(num_boxes, 1, generator=generator)
    boxes = torch.cat(
        [corners[:num_boxes] + torch.tensor([0.5, 0.5, 0.0]), torch.ones(num_boxes, 3), yaw], dim=1
    )
    sample = Det3DDataSample(metainfo=dict(box_type_3d=DepthInstance3DBoxes))
    sample.gt_instances_3d = InstanceData(
        bboxes_3d=DepthInstance3DBoxes(boxes, with_yaw=data != 'scannet', box_dim=7),
        labels_3d=torch.arange(num_boxes) % 5,
    )
    sample.gt_pts_seg = PointData()
    if data == 'scannet':
        sample.gt_pts_seg.pts_instance_mask = place
        sample.gt_pts_seg.pts_semantic_mask = place % 5 if num_boxes else torch.full_like(place, 18)
    return dict(inputs=dict(points=points), data_samples=sample)


def batch(*rooms: dict[str, Any]) -> dict[str, Any]:
    return dict(
        inputs=dict(points=[one['inputs']['points'] for one in rooms]),
        data_samples=[one['data_samples'] for one in rooms],
    )


def build(method: str, detector: str, data: str, tmp_path: Path) -> nn.Module:
    torch.manual_seed(0)
    model = small_model(method, detector, data, tmp_path)
    fill_bank(model.backbone)
    return model


def step(model: nn.Module, data: dict[str, Any]) -> float:
    """One step of training; the loss."""
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    prepared = model.data_preprocessor(data, True)
    losses = model(**prepared, mode='loss')
    total = sum(
        value if isinstance(value, Tensor) else sum(value) for name, value in losses.items() if 'loss' in name
    )
    total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name
        assert parameter.requires_grad or parameter.grad is None, name
    optimizer.step()
    return float(total)


@detectors
@both_kinds
@pytest.mark.parametrize('empty', ['one of two', 'all'])
def test_rooms_without_objects(detector: str, data: str, empty: str, tmp_path: Path) -> None:
    model = build('point_peft', detector, data, tmp_path).train()
    rooms = [room(data, num_boxes=0), room(data, num_boxes=0 if empty == 'all' else 3, seed=1)]
    for _ in range(2):
        assert torch.isfinite(torch.tensor(step(model, batch(*rooms))))
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


@detectors
@both_kinds
def test_rooms_with_fewer_points_than_groups(detector: str, data: str, tmp_path: Path) -> None:
    model = build('point_peft', detector, data, tmp_path).train()
    small = [room(data, num_points=40, seed=seed) for seed in (0, 1)]  # 64 groups
    for _ in range(2):
        assert torch.isfinite(torch.tensor(step(model, batch(*small))))
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
    with torch.no_grad():
        found = model.eval().test_step(batch(small[0]))
    assert torch.isfinite(found[0].pred_instances_3d.bboxes_3d.tensor).all()


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors of floats in what a head returns, in order."""
    if isinstance(value, Tensor) and value.is_floating_point():
        yield value
    elif isinstance(value, dict):
        for name in sorted(value):
            yield from tensors(value[name])
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from tensors(one)


@detectors
@methods
def test_rooms_do_not_affect_each_other(detector: str, method: str, tmp_path: Path) -> None:
    model = build(method, detector, 'shapes_scene', tmp_path).eval()
    points = [room('shapes_scene', seed=seed)['inputs']['points'] for seed in range(3)]
    with torch.no_grad():
        together = list(tensors(model.bbox_head(model.extract_feat(dict(points=points)))))
        for index in range(3):
            alone = list(tensors(model.bbox_head(model.extract_feat(dict(points=points[index : index + 1])))))
            assert len(alone) == len(together) > 3
            for one, all_of_them in zip(alone, together):
                torch.testing.assert_close(one[0], all_of_them[index], rtol=1e-3, atol=1e-3)


@detectors
def test_predictions_of_a_batch_are_those_of_its_rooms(detector: str, tmp_path: Path) -> None:
    """mmdet3d's Group-Free head gives all rooms of a batch the boxes of the last; the one for turned boxes does not."""
    model = build('full', detector, 'shapes_scene', tmp_path).eval()
    rooms = [room('shapes_scene', seed=seed) for seed in range(3)]
    with torch.no_grad():
        together = [found.pred_instances_3d for found in model.test_step(batch(*rooms))]
        for one, expected in zip(rooms, together):
            (alone,) = model.test_step(batch(one))
            torch.testing.assert_close(
                alone.pred_instances_3d.scores_3d, expected.scores_3d, rtol=1e-3, atol=1e-4
            )
            torch.testing.assert_close(
                alone.pred_instances_3d.bboxes_3d.tensor, expected.bboxes_3d.tensor, rtol=1e-3, atol=1e-3
            )


@detectors
@methods
def test_frozen_stays_frozen(detector: str, method: str, tmp_path: Path) -> None:
    model = build(method, detector, 'shapes_scene', tmp_path).train()
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    before = {name: value.clone() for name, value in model.state_dict().items()}
    data = batch(room('shapes_scene'), room('shapes_scene', seed=1))
    for _ in range(2):
        step(model, data)
    after = model.state_dict()
    frozen = [
        name for name in after if name.startswith('backbone.backbone.backbone.') and name not in trained
    ]
    assert bool(frozen) == (method != 'full')
    assert all(torch.equal(after[name], before[name]) for name in frozen)
    assert any(not torch.equal(after[name], before[name]) for name in trained)
