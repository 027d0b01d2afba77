"""The classification model: a backbone and a head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..registry import MODELS
from ..structures import PointDataSample
from .base import TunedModel


@MODELS.register_module()
class PointClassifier(TunedModel):
    """Classify whole point clouds.

    Args:
        backbone (dict): Config of a plain backbone.
        head (dict): Config of the head.
        peft (dict | None): Config of the wrapper that freezes and tunes the backbone (``PEFTBackbone``); None means
            full fine-tuning.
        auxiliary_head (dict | None): Config of a head with a further loss for training (``GenerationHead``).
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
            inputs (dict): ``points`` (B, N, 3).
            data_samples (Sequence[PointDataSample] | None): Labels; needed for ``mode='loss'``.
            mode (str): ``tensor`` for raw logits (B, num_classes), ``loss`` for a dict of losses, ``predict`` for
                data samples with ``pred_label`` and ``pred_scores``.
        """
        features = self.backbone(inputs['points'])
        if mode == 'tensor':
            return self.head(features)
        if mode == 'loss':
            return {**self.head.loss(features, data_samples), **self.auxiliary_loss(features)}
        if mode == 'predict':
            return self.head.predict(features, data_samples)
        raise ValueError(f"mode={mode!r} is unknown to PointClassifier; use 'tensor', 'loss' or 'predict'.")

    def to_samples(
        self, logits: Tensor, inputs: dict[str, Tensor], data_samples: Sequence[PointDataSample] | None
    ) -> list[PointDataSample]:
        """Write what logits (B, num_classes) say into data samples (new ones for None)."""
        return self.head.to_samples(logits, data_samples)
