"""The part segmentation model: a backbone and a decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..registry import MODELS
from ..structures import PointDataSample
from .base import TunedModel


@MODELS.register_module()
class PartSegmentor(TunedModel):
    """Give every point of an object of known category its part.

    Args:
        backbone (dict): Config of a plain backbone.
        head (dict): Config of the head (a ``PartSegHead``).
        peft (dict | None): Config of the wrapper that freezes and tunes the backbone; None means full fine-tuning.
        auxiliary_head (dict | None): Config of a head with a further loss for training.
        data_preprocessor (dict | None): Config of the data preprocessor.
    """

    def forward(
        self,
        inputs: dict[str, Tensor],
        data_samples: Sequence[PointDataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Run the model.

        Args:
            inputs (dict): ``points`` (B, N, 3) and ``category`` (B,) int64.
            data_samples (Sequence[PointDataSample] | None): With ``gt_part`` (N,) for ``mode='loss'``.
            mode (str): ``tensor`` for raw logits (B, N, num_parts), ``loss`` for a dict of losses, ``predict`` for data
                samples with ``pred_part``.

        Raises:
            ValueError: If the categories are missing, or the mode is unknown.
        """
        if 'category' not in inputs:
            raise ValueError(
                "part segmentation is told the objects' categories, but inputs has no 'category'; give it as (B,) "
                'int64, or use a dataset of objects with parts.'
            )
        points, category = inputs['points'], inputs['category']
        features = self.backbone(points, hidden_layers=self.head.hidden_layers)
        logits = self.head(features, points, category)
        if mode == 'tensor':
            return logits
        if mode == 'loss':
            return {**self.head.loss(logits, data_samples), **self.auxiliary_loss(features)}
        if mode == 'predict':
            return self.to_samples(logits, inputs, data_samples)
        raise ValueError(f"mode={mode!r} is unknown to PartSegmentor; use 'tensor', 'loss' or 'predict'.")

    def to_samples(
        self, logits: Tensor, inputs: dict[str, Tensor], data_samples: Sequence[PointDataSample] | None
    ) -> list[PointDataSample]:
        """Write what logits (B, N, num_parts) say into data samples (new ones for None)."""
        return self.head.predict(logits, inputs['category'], data_samples)
