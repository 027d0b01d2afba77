"""VPT-deep: learnable prompt tokens in every block."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..backbones import PointBackbone
from ..registry import MODELS
from .prompting import DeepPrompt


@MODELS.register_module()
class VPTDeep(DeepPrompt):
    """Visual prompt tuning, deep variant (Jia et al., ECCV 2022, arXiv 2203.12119, section 3.2).

    Args:
        num_tokens (int): Prompt tokens per block; 10 in the point-cloud comparisons of IDPT.
        layers (Sequence[int] | None): Blocks that get prompts; None means all.
        dropout (float): Dropout of the prompts.
    """

    def __init__(
        self, num_tokens: int = 10, *, layers: Sequence[int] | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__(num_tokens, layers=layers)
        self.dropout = nn.Dropout(dropout)

    def setup(self, backbone: PointBackbone) -> None:
        """Create the prompts, uniform with Xavier's variance as in the paper's code."""
        super().setup(backbone)
        self.embeddings = nn.ParameterList()
        for layer in self.prompted_layers(backbone):
            embedding = nn.Parameter(torch.empty(self.num_tokens, backbone.layer_dims[layer]))
            self.embeddings.append(nn.init.xavier_uniform_(embedding))

    def prompts(self, position: int) -> Tensor:
        """Prompt tokens (1, T, C) of one block, the same for every cloud."""
        return self.dropout(self.embeddings[position]).unsqueeze(0)
