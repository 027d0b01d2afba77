"""The head of 3DETR on random features: predictions, losses of whole batches, training."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip('mmdet3d')

from mmdet3d.structures import AxisAlignedBboxOverlaps3D
from small_detr3d import (
    BOX_LOSSES,
    CHANNELS,
    LAYERS,
    NUM_CLASSES,
    QUERIES,
    ROTATED,
    SEEDS,
    features,
    ground_truth,
    head_config,
    make_head,
    pick,
    samples,
)

from point_peft.detection.box_selection import enclosing_extents


@ROTATED
def test_every_layer_predicts_boxes_near_its_queries(rotated: bool) -> None:
    feats = features(2)
    head = make_head(rotated)
    predictions = head(feats)
    assert len(predictions) == LAYERS
    bins = 12 if rotated else 1
    for prediction in predictions:
        assert prediction['logits'].shape == (2, QUERIES, NUM_CLASSES + 1)
        assert prediction['dir_class'].shape == prediction['dir_res'].shape == (2, QUERIES, bins)
        assert torch.cdist(prediction['center'], feats['fp_xyz'][-1]).amin(dim=2).max() < 0.75**0.5
        assert (prediction['size'] > 0).all() and (prediction['size'] < prediction['extent']).all()
    assert not torch.equal(predictions[0]['center'], predictions[-1]['center'])


@ROTATED
def test_losses_are_named_by_layer_and_fit_the_kind_of_boxes(rotated: bool) -> None:
    losses = make_head(rotated).loss([], features(1), samples(ground_truth(2, rotated)))
    names = BOX_LOSSES[rotated] | {'loss_cls'}
    assert set(losses) == names | {f'd{layer}.{name}' for layer in range(LAYERS - 1) for name in names}
    assert all(loss.isfinite() and loss > 0 for loss in losses.values())


@ROTATED
def test_scenes_of_a_batch_do_not_influence_each_other(rotated: bool) -> None:
    head, feats = make_head(rotated), features(2)
    scenes, points = [ground_truth(2, rotated), ground_truth(4, rotated)], list(torch.rand(2, 3000, 3) * 3)
    both = head.loss([], feats, samples(*scenes))
    alone = [head.loss([], pick(feats, i), samples(scenes[i])) for i in range(2)]
    boxes = [2, 4]  # what box losses are divided by
    queries = [count + 0.25 * (QUERIES - count) for count in boxes]  # and class losses
    for name, value in both.items():
        shares = queries if name.endswith('loss_cls') else boxes
        wanted = sum(share * losses[name] for share, losses in zip(shares, alone)) / sum(shares)
        torch.testing.assert_close(value, wanted, atol=1e-5, rtol=1e-4)
    together = head.predict(points, feats, samples(*scenes))
    for i, result in enumerate(together):
        single = head.predict(points[i : i + 1], pick(feats, i), samples(scenes[i]))[0]
        torch.testing.assert_close(result.scores_3d, single.scores_3d)
        torch.testing.assert_close(result.bboxes_3d.tensor, single.bboxes_3d.tensor, atol=1e-5, rtol=1e-4)
        assert torch.equal(result.labels_3d, single.labels_3d)


@ROTATED
@pytest.mark.parametrize('counts', [(0,), (0, 0), (3, 0)])
def test_scenes_without_objects_train(rotated: bool, counts: tuple[int, ...]) -> None:
    head, feats = make_head(rotated).train(), features(len(counts))
    feats['fp_features'][-1].requires_grad_()
    losses = head.loss([], feats, samples(*(ground_truth(count, rotated) for count in counts)))
    assert all(loss.isfinite() for loss in losses.values())
    if not any(counts):
        assert all(losses[name] == 0 for name in BOX_LOSSES[rotated])
    sum(losses.values()).backward()
    parameters = dict(head.named_parameters())
    assert [name for name, value in parameters.items() if value.grad is None] == []
    assert all(value.grad.isfinite().all() for value in [*parameters.values(), feats['fp_features'][-1]])
    assert feats['fp_features'][-1].grad.abs().sum() > 0


@ROTATED
def test_overfitting_finds_the_boxes(rotated: bool) -> None:
    # All seeds are queries, so that some are within reach of every center.
    head, scene = make_head(rotated, num_queries=SEEDS).train(), ground_truth(3, rotated)
    scene.labels_3d = torch.tensor([0, 1, 2])
    scene.bboxes_3d.tensor[:, :3] = torch.tensor([[0.7, 0.6, 0.2], [2.2, 0.8, 0.5], [1.5, 2.2, 0.3]])
    feats = features(1)
    feats['fp_xyz'][-1][0, :3] = scene.bboxes_3d.gravity_center + 0.1
    optimizer = torch.optim.AdamW(head.parameters(), lr=5e-3)
    errors = []
    for _ in range(160):  # two queries for one box take a while to part
        losses = head.loss([], feats, samples(scene))
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        errors.append(sum(losses[name].item() for name in ('loss_center', 'loss_size')))
    assert errors[-1] < 0.25 * errors[0]
    points = scene.bboxes_3d.gravity_center.repeat_interleave(50, dim=0) + 0.05 * torch.randn(150, 3)
    result = head.eval().predict([points], feats, samples(scene))[0]
    top = result.scores_3d.topk(3).indices
    found = result.labels_3d[top].argsort()
    assert result.labels_3d[top][found].tolist() == [0, 1, 2]
    overlaps = AxisAlignedBboxOverlaps3D()(
        enclosing_extents(result.bboxes_3d[top[found]]), enclosing_extents(scene.bboxes_3d), is_aligned=True
    )
    assert (overlaps > 0.5).all(), overlaps


def test_errors_name_what_to_change() -> None:
    with pytest.raises(ValueError, match='num_queries'):
        make_head(num_queries=SEEDS + 1)(features(1))
    narrow = {**features(1), 'fp_features': [torch.randn(1, CHANNELS - 1, SEEDS)]}
    with pytest.raises(ValueError, match='out_channels'):
        make_head()(narrow)
    with pytest.raises(RuntimeError, match='train_cfg'):
        make_head(train_cfg=None).loss([], features(1), samples(ground_truth(1)))
    coder = {**head_config()['bbox_coder'], 'size_cls_agnostic': False}
    with pytest.raises(ValueError, match='size_cls_agnostic'):
        make_head(bbox_coder=coder)


def test_a_checkpoint_restores_the_random_frequencies() -> None:
    first, second, feats = make_head(), make_head(), features(1)
    assert not torch.allclose(first(feats)[-1]['center'], second(feats)[-1]['center'])
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(feats)[-1]['center'], second(feats)[-1]['center'])
