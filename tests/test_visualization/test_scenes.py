"""Rooms with boxes and labels, from stand-ins for mmdet3d's data samples."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from point_peft.visualization import show_boxes, show_labels, show_sample
from point_peft.visualization.scenes import MAX_POINTS

META = dict(classes=('bed', 'chair', 'table'))
POINTS = 3 * torch.rand(40, 6, generator=torch.Generator().manual_seed(0))
TRUTH = torch.tensor([[1.0, 2, 0, 2, 1, 0.5, 0.3], [0, 1, 0.2, 0.5, 0.4, 1, -1.2]])
SCORES = torch.tensor([0.1, 0.9, 0.3, 0.2, 0.8, 0.7])


class Boxes:
    """Boxes (M, 7) as mmdet3d keeps them, with the center of the lower side."""

    def __init__(self, tensor: Tensor) -> None:
        self.gravity_center = tensor[:, :3] + torch.nn.functional.pad(tensor[:, 5:6] / 2, (2, 0))
        self.dims, self.yaw = tensor[:, 3:6], tensor[:, 6]


def element(**fields: Any) -> BaseDataElement:
    """A data element with these fields."""
    return BaseDataElement(metainfo=dict(sample_idx=7, lidar_path='/data/points/room_3.bin'), **fields)


def detected(**fields: Any) -> BaseDataElement:
    """A sample of a detector's test: two true boxes, and six predicted ones."""
    truth = dict(gt_bboxes_3d=Boxes(TRUTH), gt_labels_3d=np.array([0, 2]))
    boxes = Boxes(TRUTH[[0, 1, 0, 1, 0, 1]])
    found = BaseDataElement(bboxes_3d=boxes, scores_3d=SCORES, labels_3d=torch.tensor([0, 1, 2, 0, 1, 2]))
    return element(**{'eval_ann_info': truth, 'pred_instances_3d': found, **fields})


def test_boxes() -> None:
    """By hand: centers are lifted by half the height; of six predicted boxes four have the score, best ones first."""
    shown = show_sample(detected(), POINTS, META)
    assert shown.title == 'room_3.bin\n2 true boxes, best 4 of 6 predicted boxes (scores from 0.3)'
    assert (shown.panels, shown.up, shown.labels) == (('true', 'predicted'), 'z', {})
    np.testing.assert_allclose(shown.boxes['true'][0], [1, 2, 0.25, 2, 1, 0.5, 0.3], rtol=1e-6)
    np.testing.assert_allclose(shown.boxes['true'][1], [0, 1, 0.7, 0.5, 0.4, 1, -1.2], rtol=1e-6)
    assert shown.box_labels['true'].tolist() == [0, 2]
    assert shown.box_labels['predicted'].tolist() == [1, 1, 2, 2]
    np.testing.assert_array_equal(shown.boxes['predicted'], shown.boxes['true'][[1, 0, 1, 0]])
    assert shown.names == {0: 'bed', 1: 'chair', 2: 'table'}
    np.testing.assert_array_equal(shown.points, POINTS[:, :3].numpy())


@pytest.mark.parametrize(
    ('limits', 'labels'),
    [
        (dict(max_boxes=2), [1, 1]),
        (dict(score_threshold=0.75), [1, 1]),
        (dict(score_threshold=0.0), [1, 1, 2, 2, 0, 0]),
        (dict(score_threshold=0.95), []),
    ],
)
def test_limits(limits: dict, labels: list[int]) -> None:
    """Fewer boxes by number or by score, down to none."""
    shown = show_sample(detected(), POINTS, META, **limits)
    assert shown.box_labels['predicted'].tolist() == labels
    assert f'{len(labels)} of 6 predicted boxes' in shown.title
    assert shown.boxes['predicted'].shape == (len(labels), 7)


def test_true_boxes_of_training() -> None:
    """Without predictions there is one panel, whether the truth is for training or evaluation; without any, none."""
    truth = BaseDataElement(bboxes_3d=Boxes(TRUTH), labels_3d=torch.tensor([0, 2]))
    trained = show_boxes(element(eval_ann_info=None, gt_instances_3d=truth), POINTS, META)
    sample = detected(gt_instances_3d=BaseDataElement())
    del sample.pred_instances_3d
    evaluated = show_boxes(sample, POINTS, META)
    for shown in (trained, evaluated):
        assert shown.title == 'room_3.bin\n2 true boxes'
        assert shown.panels == ('true',)
        assert shown.box_labels['true'].tolist() == [0, 2]
    bare = show_boxes(BaseDataElement(metainfo=dict(sample_idx=7)), POINTS, {})
    assert (bare.title, bare.panels, bare.names) == ('sample 7', ('',), {})


def test_labels() -> None:
    """By hand: points of no class are grey and not counted; of the other 30, 24 are right."""
    truth = np.array([0, 1, 2, 3]).repeat(10)
    found = np.where(np.arange(40) < 6, 2, truth.clip(max=2))
    sample = element(
        eval_ann_info=dict(pts_semantic_mask=truth),
        gt_pts_seg=BaseDataElement(),
        pred_pts_seg=BaseDataElement(pts_semantic_mask=torch.from_numpy(found)),
    )
    shown = show_sample(sample, POINTS, META)
    assert shown.title == 'room_3.bin: 80.0 % of the points with a class are right'
    assert shown.labels['true'].tolist() == [0] * 10 + [1] * 10 + [2] * 10 + [-1] * 10
    assert shown.labels['predicted'].tolist() == found.tolist()
    assert (list(shown.labels), shown.up, shown.boxes) == (['true', 'predicted'], 'z', {})
    unnamed = show_labels(sample, POINTS, {})
    assert unnamed.labels['true'].tolist() == truth.tolist()


def test_labels_without_truth_or_predictions() -> None:
    """What is not known is left out; labels of other points are refused."""
    labels = BaseDataElement(pts_semantic_mask=torch.zeros(40, dtype=torch.long))
    shown = show_sample(element(pred_pts_seg=labels), POINTS, META)
    assert (shown.title, shown.panels) == ('room_3.bin', ('predicted',))
    shown = show_labels(element(eval_ann_info=None, gt_pts_seg=labels), POINTS, META)
    assert (shown.title, shown.panels) == ('room_3.bin', ('true',))
    with pytest.raises(ValueError, match='39 points came with predicted labels'):
        show_sample(element(pred_pts_seg=labels), POINTS[:39], META)


def test_large_rooms_are_thinned() -> None:
    """Labels stay with their points, and the share of right ones is that of all points."""
    points = torch.rand(4 * MAX_POINTS, 3)
    truth = (points[:, 0] > 0.5).long()
    sample = element(
        eval_ann_info=dict(pts_semantic_mask=truth.numpy()),
        pred_pts_seg=BaseDataElement(pts_semantic_mask=torch.ones_like(truth)),
    )
    shown = show_sample(sample, points, META)
    assert f'{100 * truth.float().mean():.1f} % of' in shown.title
    assert shown.points.shape == (MAX_POINTS, 3)
    np.testing.assert_array_equal(shown.labels['true'], shown.points[:, 0] > 0.5)
    assert len(show_sample(detected(), points, META).points) == MAX_POINTS


def test_mmdet3d_is_not_needed() -> None:
    """Drawing rooms imports nothing of the detection tier."""
    code = "import sys, point_peft.visualization; print({'mmcv', 'mmdet', 'mmdet3d'} & set(sys.modules))"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'set()'
