"""Words in the names of objects."""

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
class WordObjective(Objective):
    """Tell the words of an object's name (``gt_words``, indices of frequent words) from the pooled tokens.

    The target is a distribution: each word of the name has the same share (Mahajan et al., ECCV 2018, section 2.2, do
    so with hashtags).

    Args:
        backbone (PlainTransformer): The encoder.
        num_words (int): Words that are told apart.
        weight (float): Factor of the loss in the sum.
    """

    def __init__(self, backbone: PlainTransformer, *, num_words: int, weight: float = 1.0) -> None:
        super().__init__(weight)
        self.num_words = num_words
        self.classify = nn.Linear(2 * backbone.embed_dim, num_words)

    def forward(self, views: Sequence[GroupView], samples: Sequence[PointDataSample]) -> Tensor:
        """Cross-entropy over the clouds whose names have a frequent word."""
        known = [i for i in having(samples, 'gt_words') if len(samples[i].gt_words)]
        if not known:
            return views[0].pooled.sum() * 0
        target = torch.zeros(len(known), self.num_words)
        for row, i in enumerate(known):
            target[row, samples[i].gt_words] = 1 / len(samples[i].gt_words)
        pooled = views[0].pooled[known]
        return F.cross_entropy(self.classify(pooled), target.to(pooled.device))
