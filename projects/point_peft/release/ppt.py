"""PPT's published part segmentation (PPT, segmentation/models/pt.py)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..methods import PPT
from ..registry import MODELS


@MODELS.register_module()
class ReleasePPT(PPT):
    """PPT whose MLP for patch tokens is laid over the sequence as if it started with a class token, which it does not.

    So it leaves the first patch token out and changes the first prompt, before that one's own MLP does.
    """

    def _change_patches(self, x: Tensor) -> Tensor:
        first, others = x.tensor_split([1], dim=1)
        return torch.cat([first, others + self._mlp_of(self.patch_mlps, x)(others)], dim=1)

    def _change_prompts(self, prompts: Tensor) -> Tensor:
        first, others = prompts.tensor_split([1], dim=1)
        first = first + self._mlp_of(self.patch_mlps, prompts)(first)
        return super()._change_prompts(torch.cat([first, others], dim=1))
