"""The classification model."""

from __future__ import annotations

from ..registry import MODELS
from .base import TunedModel


@MODELS.register_module()
class PointClassifier(TunedModel):
    """Classify whole point clouds: logits (B, num_classes), or what else a head says of a cloud.

    ``inputs`` has ``points`` (B, N, 3). With a ``PointClsHead`` data samples have ``gt_label`` for ``mode='loss'`` and
    get ``pred_label`` and ``pred_scores``.

    Args:
        kwargs: Arguments of :class:`TunedModel`.
    """
