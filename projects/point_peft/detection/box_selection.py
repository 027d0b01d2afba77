"""From predicted boxes to the ones that are returned."""

from __future__ import annotations

import torch
from mmdet3d.models.layers import aligned_3d_nms
from mmdet3d.structures import BaseInstance3DBoxes
from mmengine.structures import InstanceData
from torch import Tensor


def enclosing_extents(boxes: BaseInstance3DBoxes) -> Tensor:
    """Smallest and largest x, y, z (n, 6) of the corners of boxes, in metres."""
    corners = boxes.corners
    return torch.cat([corners.amin(dim=1), corners.amax(dim=1)], dim=1)


def select_boxes(
    boxes: BaseInstance3DBoxes,
    scores: Tensor,
    points: Tensor,
    *,
    nms_thr: float | None = 0.25,
    score_thr: float = 0.05,
    per_class_proposal: bool = True,
    min_points: int = 5,
) -> InstanceData:
    """Drop boxes that are empty, improbable, or overlap with a better one of their class.

    These are the steps and thresholds of 3DETR's evaluation, which took them from VoteNet.

    Args:
        boxes (BaseInstance3DBoxes): Boxes of Q queries.
        scores (Tensor): (Q, num_classes) class probabilities; what they lack to 1 is the probability of no object.
        points (Tensor): (N, 3 + D) points of the scene.
        nms_thr (float | None): A box goes if its axis-aligned extents overlap by a larger IoU with those of a box of
            the same class that is more probably an object; None keeps all.
        score_thr (float): A box goes if it is an object with no larger probability.
        per_class_proposal (bool): Return every box once for every class, each with the probability of that class;
            otherwise once, for its most probable class.
        min_points (int): A box goes if it has fewer points inside; 0 keeps all.

    Returns:
        InstanceData: ``bboxes_3d``, ``scores_3d`` (n,), ``labels_3d`` (n,) int64.
    """
    objectness = scores.sum(dim=1)
    kept = objectness > score_thr
    if min_points > 0:
        kept &= boxes.points_in_boxes_all(points[:, :3]).sum(dim=0) >= min_points
    index = kept.nonzero().squeeze(1)
    if nms_thr is not None:
        extents, classes = enclosing_extents(boxes[index]), scores[index].argmax(dim=1)
        index = index[aligned_3d_nms(extents, objectness[index], classes, nms_thr)]
    if per_class_proposal:
        num_classes = scores.shape[1]
        labels = torch.arange(num_classes, device=scores.device).repeat_interleave(len(index))
        index = index.repeat(num_classes)
    else:
        labels = scores[index].argmax(dim=1)
    return InstanceData(bboxes_3d=boxes[index], scores_3d=scores[index, labels], labels_3d=labels)
