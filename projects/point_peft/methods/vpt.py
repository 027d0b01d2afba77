"""VPT: learnable prompt tokens, in every block (deep) or from the first one on (shallow)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..backbones import PointBackbone
from ..registry import MODELS
from .context import Inserted
from .prompting import DeepPrompt


@MODELS.register_module()
class VPTDeep(DeepPrompt):
    """Visual prompt tuning, deep variant (Jia et al., ECCV 2022, arXiv 2203.12119, section 3.2).

    Args:
        num_tokens (int): Prompt tokens per block; 10 in the point-cloud comparisons of IDPT.
        layers (Sequence[int] | None): Blocks that get prompts; None means all.
        dropout (float): Dropout of the prompts.
        own_positions (bool): Whether every prompt has a position of its own, as in the code of IDPT
            (``cls_prompt_pos_list``). It is added to the prompt before the block, so only the sum of both matters.
    """

    def __init__(
        self,
        num_tokens: int = 10,
        *,
        layers: Sequence[int] | None = None,
        dropout: float = 0.0,
        own_positions: bool = False,
    ) -> None:
        super().__init__(num_tokens, layers=layers)
        self.dropout = nn.Dropout(dropout)
        self.own_positions = own_positions

    def setup(self, backbone: PointBackbone) -> None:
        """Create the prompts, uniform with Xavier's variance as in the paper's code."""
        super().setup(backbone)
        widths = [backbone.layer_dims[layer] for layer in self.prompted_layers(backbone)]
        self.embeddings = _tokens(self.num_tokens, widths)
        self.embedding_positions = _tokens(self.num_tokens, widths if self.own_positions else ())

    def prompts(self, position: int) -> Tensor:
        """Prompt tokens (1, T, C) of one block, the same for every cloud."""
        prompts = self.dropout(self.embeddings[position])
        if self.own_positions:
            prompts = prompts + self.embedding_positions[position]
        return prompts.unsqueeze(0)


@MODELS.register_module()
class VPTShallow(VPTDeep):
    """Visual prompt tuning, shallow variant: prompts enter the first block and go through all (section 3.2).

    As in the paper, the head does not see them.

    Args:
        num_tokens (int): Prompt tokens; 10 as for :class:`VPTDeep`.
        dropout (float): Dropout of the prompts.
    """

    def __init__(self, num_tokens: int = 10, *, dropout: float = 0.0) -> None:
        super().__init__(num_tokens, layers=[0], dropout=dropout)

    def tokens_before(self, layer: int, x: Tensor) -> Inserted | None:
        """The prompts, before the first block."""
        inserted = super().tokens_before(layer, x)
        return None if inserted is None else replace(inserted, stay=True, to_head=False)


def _tokens(count: int, widths: Sequence[int]) -> nn.ParameterList:
    """``count`` tokens of every width."""
    return nn.ParameterList(
        nn.Parameter(nn.init.xavier_uniform_(torch.empty(count, width))) for width in widths
    )
