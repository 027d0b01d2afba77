"""Parts of objects."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...backbones import PlainTransformer
from ...ops import gather
from ...registry import MODELS
from ...structures import PointDataSample
from .base import GroupView, Objective, having


@MODELS.register_module()
class PartObjective(Objective):
    """Tell from each token which part of the object (``gt_part``) the center of its group lies on.

    Args:
        backbone (PlainTransformer): The encoder.
        num_parts (int): Parts of all classes.
        smoothing (float): Label smoothing.
        weight (float): Factor of the loss in the sum.
    """

    def __init__(
        self,
        backbone: PlainTransformer,
        *,
        num_parts: int,
        smoothing: float = 0.1,
        weight: float = 1.0,
    ) -> None:
        super().__init__(weight)
        self.smoothing = smoothing
        self.classify = nn.Linear(backbone.embed_dim, num_parts)

    def forward(self, views: Sequence[GroupView], samples: Sequence[PointDataSample]) -> Tensor:
        """Cross-entropy over the tokens on a known part; -1 is none (floor and wall of a scan)."""
        view = views[0]
        known = having(samples, 'gt_part')
        if not known:
            return view.tokens.sum() * 0
        parts = torch.stack([samples[i].gt_part for i in known]).to(view.seen.device)  # (M, N)
        centers = gather(view.groups.center_index[known].unsqueeze(-1), view.seen[known]).squeeze(
            -1
        )  # (M, V)
        target = parts.gather(1, centers).flatten()
        if not (target >= 0).any():
            return view.tokens.sum() * 0
        scores = self.classify(view.tokens[known]).flatten(0, 1)
        return F.cross_entropy(scores, target, ignore_index=-1, label_smoothing=self.smoothing)
