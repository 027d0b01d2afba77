"""Plain pre-trained networks; none of them knows about fine-tuning."""

from .base import PointBackbone
from .point_mae import PointMAE

__all__ = ['PointBackbone', 'PointMAE']
