"""Detection with mmdet3d's detectors; importing this package needs the detection tier."""

from ..ops.mmcv_extension import supply_extension

supply_extension()

from .detr3d import Detr3D  # noqa: E402
from .detr3d_head import Detr3DHead  # noqa: E402
from .giou_loss import AxisAlignedGIoULoss  # noqa: E402
from .groupfree3d_head import RotatedGroupFree3DHead  # noqa: E402
from .indoor_metric import PresentClassIndoorMetric  # noqa: E402
from .match_costs import CenterL1Cost, EnclosingGIoUCost, ObjectnessCost  # noqa: E402
from .portable_ops import use_portable_ops  # noqa: E402
from .shapes_scene import ShapesScene  # noqa: E402

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
