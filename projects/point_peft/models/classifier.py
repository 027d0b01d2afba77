"""The classification model: a backbone and a head."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModel
from torch import Tensor

from ..registry import MODELS
from ..structures import PointDataSample


@MODELS.register_module()
class PointClassifier(BaseModel):
    """Classify whole point clouds.

    Args:
        backbone (dict): Config of a plain backbone (full fine-tuning) or of a ``PEFTBackbone`` around one.
        head (dict): Config of the head.
        data_preprocessor (dict | None): Config of the data preprocessor.
    """

    def __init__(self, backbone: dict[str, Any], head: dict[str, Any], data_preprocessor: dict[str, Any] | None = None) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build({'embed_dim': self.backbone.embed_dim, **head})

    def forward(self, inputs: dict[str, Tensor], data_samples: Sequence[PointDataSample] | None = None,
                mode: str = 'tensor') -> Any:
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
            return self.head.loss(features, data_samples)
        if mode == 'predict':
            return self.head.predict(features, data_samples)
        raise ValueError(f"mode={mode!r} is unknown to PointClassifier; use 'tensor', 'loss' or 'predict'.")

    def base_state(self) -> dict[str, Tensor]:
        """Tensors that came from a pre-trained file, by their names in ``state_dict()``."""
        return {f'backbone.{name}': value for name, value in self.backbone.base_state().items()}
