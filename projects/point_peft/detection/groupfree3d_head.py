"""mmdet3d's Group-Free 3D head for boxes that are turned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmdet3d.models import GroupFree3DHead
from mmdet3d.structures import DepthInstance3DBoxes
from mmengine.structures import InstanceData
from torch import Tensor

from ..registry import MODELS


@MODELS.register_module()
class RotatedGroupFree3DHead(GroupFree3DHead):
    """``GroupFree3DHead`` without two faults of mmdet3d 1.4.0; for upright boxes mmdet3d's own does.

    - With ``bbox_coder.with_rot=True`` it asks for the one box that a point is in, but reads the answer as a table of
      all points and boxes, and stops with an ``IndexError``.
    - In a batch of several scenes all get the boxes of the last.

    Arguments are those of ``GroupFree3DHead``.
    """

    def _get_targets_single(
        self, points: Tensor, gt_bboxes_3d: DepthInstance3DBoxes, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, ...]:
        """Targets of one scene, from boxes that answer with the table."""
        boxes = _TableOfPoints(
            gt_bboxes_3d.tensor, box_dim=gt_bboxes_3d.box_dim, with_yaw=gt_bboxes_3d.with_yaw
        )
        return super()._get_targets_single(points, boxes, *args, **kwargs)

    def predict_by_feat(
        self,
        points: Sequence[Tensor],
        bbox_preds_dict: Mapping[str, Any],
        batch_input_metas: Sequence[dict[str, Any]],
        **kwargs: Any,
    ) -> list[InstanceData]:
        """Boxes of every scene, one scene after the other."""
        found = []
        for index, (cloud, meta) in enumerate(zip(points, batch_input_metas)):
            own = {
                name: value[index : index + 1] if isinstance(value, Tensor) else value
                for name, value in bbox_preds_dict.items()
            }
            found += super().predict_by_feat([cloud], own, [meta], **kwargs)
        return found


class _TableOfPoints(DepthInstance3DBoxes):
    """Boxes that say of every point and every box whether the one is in the other."""

    def points_in_boxes_part(self, points: Tensor, boxes_override: Tensor | None = None) -> Tensor:
        """Table (N, M) of points (N, 3) and boxes."""
        return self.points_in_boxes_all(points, boxes_override)
