"""Costs of matching predicted boxes with those of a scene, for mmdet's ``HungarianAssigner``.

They read the ``InstanceData`` that ``SetLoss`` makes: ``scores`` (Q, num_classes + 1), logits with "no object" last;
``centers`` (n, 3), divided by the extent of the scene; ``extents`` (n, 6), smallest and largest x, y, z of a box in
metres. mmdet's own ``ClassificationCost`` fits as it is.
"""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.task_modules.assigners.match_cost import BaseMatchCost
from mmdet3d.structures import AxisAlignedBboxOverlaps3D
from mmengine.structures import InstanceData
from torch import Tensor

from ..registry import TASK_UTILS


@TASK_UTILS.register_module()
class CenterL1Cost(BaseMatchCost):
    """L1 distance of the centers, in fractions of the scene's extent, summed over the axes.

    Args:
        weight (float): Factor of the cost; in 3DETR 0 for ScanNet and 5 for SUN RGB-D.
    """

    def __call__(
        self, pred_instances: InstanceData, gt_instances: InstanceData, img_meta: Any = None
    ) -> Tensor:
        """Costs (num_queries, num_boxes)."""
        return self.weight * torch.cdist(pred_instances.centers, gt_instances.centers, p=1)


@TASK_UTILS.register_module()
class EnclosingGIoUCost(BaseMatchCost):
    """Negative generalised IoU of the axis-aligned boxes that enclose the boxes.

    For boxes without rotation these are the boxes themselves. For rotated ones the comparison is coarser than 3DETR's,
    which intersects the rotated boxes; it only decides which query learns which box.

    Args:
        weight (float): Factor of the cost; in 3DETR 2 for ScanNet and 3 for SUN RGB-D.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__(weight)
        self.overlaps = AxisAlignedBboxOverlaps3D()

    def __call__(
        self, pred_instances: InstanceData, gt_instances: InstanceData, img_meta: Any = None
    ) -> Tensor:
        """Costs (num_queries, num_boxes)."""
        return -self.weight * self.overlaps(pred_instances.extents, gt_instances.extents, mode='giou')


@TASK_UTILS.register_module()
class ObjectnessCost(BaseMatchCost):
    """Negative probability that a query has an object at all, the same for every box.

    Args:
        weight (float): Factor of the cost; in 3DETR 0 for ScanNet and 5 for SUN RGB-D.
    """

    def __call__(
        self, pred_instances: InstanceData, gt_instances: InstanceData, img_meta: Any = None
    ) -> Tensor:
        """Costs (num_queries, num_boxes)."""
        no_object = pred_instances.scores.softmax(dim=-1)[:, -1:]
        return self.weight * (no_object - 1).expand(-1, len(gt_instances))
