"""A pre-trained backbone alone, as a task model that describes whole clouds."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from ..io.errors import InvalidValueError
from ..registry import MODELS
from ..structures import PointDataSample
from .owner import BackboneOwner


@MODELS.register_module()
class PointDescriptor(BackboneOwner, BaseModel):
    """The pre-trained network's global descriptor of each cloud: what methods are fitted on.

    There is nothing to train; ``mode='tensor'`` is the only mode.

    Args:
        backbone (dict): Config of a plain backbone.
        data_preprocessor (dict | None): Config of the data preprocessor.
    """

    def __init__(self, backbone: dict[str, Any], *, data_preprocessor: dict[str, Any] | None = None) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.backbone = MODELS.build(backbone)

    def forward(
        self,
        inputs: dict[str, Tensor],
        data_samples: list[PointDataSample] | None = None,
        mode: str = 'tensor',
    ) -> Tensor:
        """Describe clouds, in full precision whatever autocast says, since methods are fitted on descriptors.

        Args:
            inputs (dict): ``points`` (B, N, 3).
            data_samples (list[PointDataSample] | None): Unused; a descriptor needs no labels.
            mode (str): ``tensor``.

        Returns:
            Tensor: (B, C).

        Raises:
            ValueError: If another mode is asked for.
        """
        if mode != 'tensor':
            raise InvalidValueError(
                f"mode={mode!r} is unknown to PointDescriptor, which has no head; use 'tensor', or a model with a head."
            )
        points = inputs['points']
        with torch.autocast(points.device.type, enabled=False):
            return self.backbone.summarize(self.backbone.embed(points))
