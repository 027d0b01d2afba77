"""The generalised IoU of boxes as a loss; mmdet3d has a loss for the plain IoU only."""

from __future__ import annotations

from mmdet.models.losses.utils import weight_reduce_loss
from mmdet3d.structures import AxisAlignedBboxOverlaps3D
from torch import Tensor, nn

from ..registry import MODELS


@MODELS.register_module()
class AxisAlignedGIoULoss(nn.Module):
    """One minus the generalised IoU, which has a slope for boxes that do not touch, too.

    Source: Rezatofighi et al., Generalized IoU (CVPR 2019, arXiv 1902.09630), section 3.

    Args:
        loss_weight (float): Factor of the loss; 1 in 3DETR for ScanNet.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.overlaps = AxisAlignedBboxOverlaps3D()

    def forward(self, pred: Tensor, target: Tensor, avg_factor: float | Tensor | None = None) -> Tensor:
        """Loss of boxes (n, 6), smallest and largest x, y, z; their sum over ``avg_factor``, or their mean."""
        giou = self.overlaps(pred, target, mode='giou', is_aligned=True)
        return self.loss_weight * weight_reduce_loss(1 - giou, avg_factor=avg_factor)
