"""Prompt tokens of every block's own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from torch import Tensor

from ..backbones import PointBackbone
from ..io.errors import InvalidValueError
from .base import TuningMethod
from .context import Inserted


class DeepPrompt(TuningMethod):
    """Base of methods that give blocks prompt tokens of their own (deep prompts, VPT, arXiv 2203.12119).

    They stand between prefix and patch tokens, for one block at a time.

    Args:
        num_tokens (int): Prompt tokens T per block.
        layers (Sequence[int] | None): Blocks that get prompts; None means all.
    """

    unfoldable = 'prompts are tokens in the sequence, not weights'

    def __init__(self, num_tokens: int, *, layers: Sequence[int] | None = None) -> None:
        super().__init__()
        if num_tokens < 1:
            raise InvalidValueError(f'num_tokens={num_tokens}, but a prompt needs at least one token.')
        self.num_tokens = num_tokens
        self.layers = layers
        self.positions: dict[int, int] = {}

    def setup(self, backbone: PointBackbone) -> None:
        """Number the prompted blocks."""
        self.positions = {layer: position for position, layer in enumerate(self.prompted_layers(backbone))}

    def prompted_layers(self, backbone: PointBackbone) -> list[int]:
        """Indices of the blocks that get prompts.

        Raises:
            ValueError: If ``layers`` names a block that the backbone does not have.
        """
        depth = len(backbone.layers)
        layers = list(range(depth)) if self.layers is None else list(self.layers)
        wrong = [layer for layer in layers if not 0 <= layer < depth]
        if wrong:
            raise InvalidValueError(
                f'prompt layers {wrong} do not exist: the backbone has blocks 0 to {depth - 1}; set `layers`.'
            )
        return layers

    @abstractmethod
    def prompts(self, position: int) -> Tensor:
        """Prompt tokens (B or 1, T, C) of the ``position``-th prompted block."""

    def tokens_before(self, layer: int, x: Tensor) -> Inserted | None:
        """The prompts of block ``layer``, if it has any."""
        return Inserted(self.prompts(self.positions[layer])) if layer in self.positions else None
