"""Detection with mmdet3d's detectors; importing this package needs the detection tier."""

from ..ops.mmcv_extension import supply_extension

supply_extension()

from .detr3d import Detr3D
from .detr3d_head import Detr3DHead
from .giou_loss import AxisAlignedGIoULoss
from .groupfree3d_head import RotatedGroupFree3DHead
from .indoor_metric import PresentClassIndoorMetric
from .match_costs import CenterL1Cost, EnclosingGIoUCost, ObjectnessCost
from .portable_ops import use_portable_ops
from .shapes_scene import ShapesScene

use_portable_ops()

__all__ = [
    'AxisAlignedGIoULoss',
    'CenterL1Cost',
    'Detr3D',
    'Detr3DHead',
    'EnclosingGIoUCost',
    'ObjectnessCost',
    'PresentClassIndoorMetric',
    'RotatedGroupFree3DHead',
    'ShapesScene',
    'use_portable_ops',
]
