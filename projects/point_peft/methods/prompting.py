"""Putting prompt tokens into a block's sequence and taking them out again."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..backbones import PointBackbone
from .base import TuningMethod


class DeepPrompt(TuningMethod):
    """Base of methods that give blocks prompt tokens of their own (deep prompts, VPT, arXiv 2203.12119).

    Before a block the sequence ``[prefix | patches]`` becomes ``[prefix | prompts | patches]``; after it the prompts
    are taken out again, so the backbone, its positions and the other methods never meet a longer sequence.

    Args:
        num_tokens (int): Prompt tokens T per block.
        layers (Sequence[int] | None): Blocks that get prompts; None means all.
    """

    def __init__(self, num_tokens: int, *, layers: Sequence[int] | None = None) -> None:
        super().__init__()
        if num_tokens < 1:
            raise ValueError(f'num_tokens={num_tokens}, but a prompt needs at least one token.')
        self.num_tokens = num_tokens
        self.layers = layers

    def prompted_layers(self, backbone: PointBackbone) -> list[int]:
        """Indices of the blocks that get prompts.

        Raises:
            ValueError: If ``layers`` names a block that the backbone does not have.
        """
        depth = len(backbone.layers)
        layers = list(range(depth)) if self.layers is None else list(self.layers)
        wrong = [layer for layer in layers if not 0 <= layer < depth]
        if wrong:
            raise ValueError(
                f'prompt layers {wrong} do not exist: the backbone has blocks 0 to {depth - 1}; set `layers`.'
            )
        return layers

    @abstractmethod
    def prompts(self, position: int) -> Tensor:
        """Prompt tokens (B or 1, T, C) of the ``position``-th prompted block."""

    def attach(self, backbone: PointBackbone) -> None:
        """Insert before, and take out after, each prompted block."""
        for position, layer in enumerate(self.prompted_layers(backbone)):
            self._attach_to(backbone.layers[layer], position)

    def _attach_to(self, block: nn.Module, position: int) -> None:
        self.on_input(block, lambda x: self._insert(x, self.prompts(position)))
        self.on_output(block, lambda _, x: self._take_out(x), first=True)  # whatever the order in the config

    def _insert(self, x: Tensor, prompts: Tensor) -> Tensor:
        assert self.context is not None
        prefix, patches = x.tensor_split([self.context.num_prefix], dim=1)
        return torch.cat([prefix, prompts.expand(len(x), -1, -1), patches], dim=1)

    def _take_out(self, x: Tensor) -> Tensor:
        assert self.context is not None
        start = self.context.num_prefix
        prefix, _, patches = x.tensor_split([start, start + self.num_tokens], dim=1)
        return torch.cat([prefix, patches], dim=1)
