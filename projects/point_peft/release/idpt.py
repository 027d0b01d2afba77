"""IDPT's published part segmentation, whose decoder reads prompts (ICCV23-IDPT, segmentation/models/prompt_pt3.py)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..heads import PlainPartSegHead
from ..methods import IDPT, TuningContext
from ..registry import MODELS
from ..structures import BackboneFeatures


@MODELS.register_module()
class ReleaseIDPT(IDPT):
    """IDPT that shows the decoder each prompt twice: as it entered its block, and as the block left it.

    For ``stay=False`` and no other method that inserts tokens.
    """

    def finish(self, features: BackboneFeatures, context: TuningContext) -> BackboneFeatures:
        """Put the entering prompt in front, behind the norm."""
        both = {
            layer: torch.cat([context.final_norm(context.inserted[layer][0].tokens), left], dim=1)
            for layer, left in features.hidden_inserted.items()
        }
        return replace(features, hidden_inserted=both)


@MODELS.register_module()
class ReleaseIDPTPartSegHead(PlainPartSegHead):
    """Point-MAE's decoder with the prompts of ``ReleaseIDPT`` in the place of the pooled tokens."""

    def describe(self, features: BackboneFeatures, x: Tensor) -> list[Tensor]:
        """The prompts of all prompted blocks side by side (B, 3C), as they entered and as they left."""
        entered, left = features.joined_inserted(self.stages[0]).unbind(dim=1)
        return [entered, left]
