"""Classes of whole objects."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...backbones import PlainTransformer
from ...registry import MODELS
from ...structures import PointDataSample
from .base import GroupView, Objective, having


@MODELS.register_module()
class LabelObjective(Objective):
    """Tell the class of an object (``gt_label``) by one linear layer on the pooled tokens.

    Args:
        backbone (PlainTransformer): The encoder.
        num_classes (int): Classes.
        smoothing (float): Label smoothing.
        weight (float): Factor of the loss in the sum.
    """

    def __init__(
        self,
        backbone: PlainTransformer,
        *,
        num_classes: int,
        smoothing: float = 0.1,
        weight: float = 1.0,
    ) -> None:
        super().__init__(weight)
        self.smoothing = smoothing
        self.classify = nn.Linear(2 * backbone.embed_dim, num_classes)

    def forward(self, views: Sequence[GroupView], samples: Sequence[PointDataSample]) -> Tensor:
        """Cross-entropy over the clouds that have a label."""
        known = having(samples, 'gt_label')
        if not known:
            return views[0].pooled.sum() * 0
        labels = torch.stack([samples[i].gt_label for i in known]).to(views[0].pooled.device)
        return F.cross_entropy(self.classify(views[0].pooled[known]), labels, label_smoothing=self.smoothing)
