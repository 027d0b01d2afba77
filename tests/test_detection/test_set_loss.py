"""The set loss of 3DETR: matching against brute force, losses against their definitions."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn import functional as F

pytest.importorskip('mmdet3d')

from mmdet3d.registry import MODELS
from mmdet3d.structures import DepthInstance3DBoxes
from small_detr3d import (
    BOX_LOSSES,
    MIDDLE,
    NUM_CLASSES,
    QUERIES,
    ROTATED,
    features,
    ground_truth,
    head_config,
    make_head,
    perfect,
    samples,
)


def costs_by_hand(prediction: dict[str, Tensor], scene: InstanceData, weights: tuple[float, ...]) -> Tensor:
    """The cost of 3DETR, from its definition: class, generalised IoU of the enclosing boxes, center, objectness."""
    angle = (
        prediction['dir_class'].argmax(-1, keepdim=True) * (2 * torch.pi / 12)
        + prediction['dir_res'].gather(2, prediction['dir_class'].argmax(-1, keepdim=True))
    ) * (prediction['dir_class'].shape[-1] > 1)
    boxes, extent = (
        torch.cat([prediction['center'], prediction['size'], angle], dim=2)[0],
        prediction['extent'][0],
    )
    wanted = torch.cat([scene.bboxes_3d.gravity_center, scene.bboxes_3d.tensor[:, 3:]], dim=1)
    probability = prediction['logits'][0].softmax(-1)
    costs = torch.zeros(len(boxes), len(wanted))
    for i, j in ((i, j) for i in range(len(boxes)) for j in range(len(wanted))):
        low, high = [], []
        for box in (boxes[i], wanted[j]):
            cos, sin = box[6].cos().abs(), box[6].sin().abs()
            half = torch.stack([cos * box[3] + sin * box[4], sin * box[3] + cos * box[4], box[5]]) / 2
            low.append(box[:3] - half)
            high.append(box[:3] + half)
        volumes = [(b - a).prod() for a, b in zip(low, high)]
        common = (torch.minimum(*high) - torch.maximum(*low)).clamp(min=0).prod()
        union, hull = sum(volumes) - common, (torch.maximum(*high) - torch.minimum(*low)).prod()
        giou = common / union - (hull - union) / hull
        parts = (
            -probability[i, scene.labels_3d[j]],
            -giou,
            ((boxes[i, :3] - wanted[j, :3]) / extent[0]).abs().sum(),
            -(1 - probability[i, -1]),
        )
        costs[i, j] = sum(weight * part for weight, part in zip(weights, parts))
    return costs


@ROTATED
@pytest.mark.parametrize('weights', [(1, 2, 0, 0), (1, 3, 5, 5)], ids=['scannet', 'sunrgbd'])
def test_matching_has_the_smallest_cost_of_all_permutations(
    rotated: bool, weights: tuple[float, ...]
) -> None:
    config = head_config(rotated, num_queries=5)
    for cost, weight in zip(config['train_cfg'].assigner.match_costs, weights):
        cost.weight = weight
    head = MODELS.build(config).eval()
    prediction, scene = head(features(1))[-1], ground_truth(3, rotated)
    prediction['logits'] = 2 * torch.randn(1, 5, NUM_CLASSES + 1)
    targets = [head.set_loss._targets(scene, prediction['extent'][0])]
    assigned = head.set_loss.assign(prediction, targets, DepthInstance3DBoxes)[0]
    costs = costs_by_hand(prediction, scene, weights)
    best = min(permutations(range(5), 3), key=lambda rows: costs[list(rows), range(3)].sum().item())
    assert assigned.tolist() == [best.index(query) + 1 if query in best else 0 for query in range(5)]


@ROTATED
def test_perfect_predictions_have_no_loss_and_decode_to_the_same_boxes(rotated: bool) -> None:
    head, scene = make_head(rotated), ground_truth(4, rotated)
    prediction = perfect(head, scene)
    losses = head.set_loss([prediction], [scene])
    assert set(losses) == BOX_LOSSES[rotated] | {'loss_cls'}
    assert all(loss.abs() < 1e-4 for loss in losses.values()), losses
    boxes = DepthInstance3DBoxes(head.bbox_coder.decode(prediction)[0, :4], origin=MIDDLE)
    torch.testing.assert_close(boxes.corners, scene.bboxes_3d.corners, atol=1e-4, rtol=0)


@ROTATED
@pytest.mark.parametrize('count', [1, 4])
def test_every_box_loss_is_a_mean_over_the_boxes(rotated: bool, count: int) -> None:
    head, scene = make_head(rotated), ground_truth(count, rotated)
    right = perfect(head, scene)
    changes = {
        'loss_center': ('center', 0.03),
        'loss_size': ('size', 0.09),
        'loss_dir_res': ('dir_res_norm', 0.1),
    }
    for name in BOX_LOSSES[rotated] & set(changes):
        key, change = changes[name]
        losses = head.set_loss([{**right, key: right[key] + change}], [scene])
        # 5 and 1 times the sum over the axes of the fractions of the extent; half of half the square
        share = change * (1 / 4 + 1 / 3 + 1 / 3)
        wanted = {'loss_center': 5 * share, 'loss_size': share, 'loss_dir_res': 0.5 * 0.5 * change**2}[name]
        torch.testing.assert_close(losses[name], torch.tensor(wanted), atol=1e-5, rtol=1e-3)


def test_class_loss_is_the_weighted_mean_over_all_queries() -> None:
    head, scene = make_head(), ground_truth(2)
    prediction = perfect(head, scene)
    prediction['logits'] = prediction['logits'] / 15 + torch.rand(1, QUERIES, NUM_CLASSES + 1)
    labels = torch.full((QUERIES,), NUM_CLASSES)
    labels[:2] = scene.labels_3d
    wanted = F.cross_entropy(prediction['logits'][0], labels, weight=torch.tensor([1, 1, 1, 0.25]))
    torch.testing.assert_close(head.set_loss([prediction], [scene])['loss_cls'], wanted)


@ROTATED
def test_order_of_the_boxes_does_not_matter(rotated: bool) -> None:
    head, feats, scene = make_head(rotated), features(1), ground_truth(5, rotated)
    first = head.loss([], feats, samples(scene))
    torch.testing.assert_close(head.loss([], feats, samples(scene[torch.randperm(5)])), first)
