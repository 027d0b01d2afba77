"""The classification model: a backbone and a head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModel
from torch import Tensor

from ..registry import MODELS
from ..structures import PointDataSample
from ..tuners import MemoryBank


@MODELS.register_module()
class PointClassifier(BaseModel):
    """Classify whole point clouds.

    Args:
        backbone (dict): Config of a plain backbone.
        head (dict): Config of the head.
        tuner (dict | None): Config of the wrapper that freezes and tunes the backbone (``PEFTBackbone``); None means
            full fine-tuning.
        data_preprocessor (dict | None): Config of the data preprocessor.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        head: dict[str, Any],
        *,
        tuner: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.backbone = MODELS.build(backbone if tuner is None else {**tuner, 'backbone': backbone})
        self.head = MODELS.build({'embed_dim': self.backbone.embed_dim, **head})

    def init_weights(self) -> None:
        """Load the pre-trained backbone.

        All else got its values when it was built, so MMEngine's walk through the modules, which logs two lines per
        parameter, has nothing to do.
        """
        self.backbone.init_weights()
        self.is_init = True

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
            return self.head.loss(features, data_samples)
        if mode == 'predict':
            return self.head.predict(features, data_samples)
        raise ValueError(f"mode={mode!r} is unknown to PointClassifier; use 'tensor', 'loss' or 'predict'.")

    def base_state(self) -> dict[str, Tensor]:
        """Tensors that came from a pre-trained file, by their names in ``state_dict()``."""
        return {f'backbone.{name}': value for name, value in self.backbone.base_state().items()}

    def external_state_keys(self) -> list[str]:
        """Names in ``state_dict()`` of what lives in a file of its own: the keys of memory banks."""
        return [f'{name}.keys' for name, _ in self.memory_banks()]

    def bank_hash(self) -> str | None:
        """Digest of the memory bank; None without one or while it is empty."""
        return next((bank.content_hash() for _, bank in self.memory_banks() if len(bank)), None)

    def memory_banks(self) -> list[tuple[str, MemoryBank]]:
        """Memory banks in the tuned backbone, with their names."""
        return [(name, module) for name, module in self.named_modules() if isinstance(module, MemoryBank)]
