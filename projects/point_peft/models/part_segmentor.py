"""The part segmentation model."""

from __future__ import annotations

from ..registry import MODELS
from .base import TunedModel


@MODELS.register_module()
class PartSegmentor(TunedModel):
    """Give every point of an object of known category its part: logits (B, N, num_parts).

    ``inputs`` has ``points`` (B, N, 3) and ``category`` (B,) int64. Data samples have ``gt_part`` (N,) for
    ``mode='loss'`` and get ``pred_part`` (N,).

    Args:
        kwargs: Arguments of :class:`TunedModel`, the head a ``PartSegHead``.
    """
