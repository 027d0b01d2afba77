"""What the tuning methods share during one forward of the tuned backbone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import ReferenceType, ref

import torch
from torch import Tensor, nn

from ..backbones.layers import is_recomputation
from ..io.errors import InvalidValueError
from ..structures import BackboneFeatures, PointTokens
from .evaluation_cache import Kept, NothingKept


@dataclass(frozen=True)
class Inserted:
    """Tokens that a method puts into a sequence.

    Attributes:
        tokens (Tensor): (B or 1, T, C).
        stay (bool): Whether they go on to the next blocks, as each block leaves them, and to the head; else they are
            taken out behind the block.
        positions (Tensor | None): (B or 1, T, C) added to them before this block and, if they stay in a stage of
            that dimension, every further one, as the positions of patch tokens are.
        change (Callable | None): Applied to them, positions included, before every block that they enter.
        to_head (bool): Whether those that stay go on to the head.
        owner (int): Number of the method; set by the wrapper.
    """

    tokens: Tensor
    stay: bool = False
    positions: Tensor | None = None
    change: Callable[[Tensor], Tensor] | None = None
    to_head: bool = True
    owner: int = 0


@dataclass(frozen=True)
class TuningContext:
    """One forward of the tuned backbone.

    What is written into its dictionaries goes by the number of a block, so that it is written again, and not a second
    time, when activation checkpointing runs the block again.

    Attributes:
        points (Tensor): (B, N, 3) clouds as the backbone sees them.
        tokens (PointTokens): The embedded groups.
        num_prefix (int): The backbone's own prefix tokens P in front of the sequence.
        pretrained_summary (Callable): Descriptor (B, C) of some tokens by the untouched pre-trained backbone,
            computed without gradient; a second argument says after how many blocks.
        with_graph (bool): Whether the forward builds a graph.
        hidden_layers (Sequence[int]): Blocks whose tokens the head asked for.
        final_norm (nn.Module): The norm after the last block, for tokens that methods give to the head in ``finish``.
        states (list): What ``begin`` of every method gave.
        inserted (dict): Tokens of the methods in the sequence of a block, between prefix and patch tokens.
        handed_on (dict): What methods hand on from block to block, by its owner and the number of the block.
        grown_masks (dict): Attention masks that already have room for inserted tokens, by mask and number of tokens.
        sample_index (Tensor | None): (B,) int64, place of each cloud in the training set, where a method asks for it.
        kept (Kept): What frozen weights made of these clouds before.
    """

    points: Tensor
    tokens: PointTokens
    num_prefix: int
    pretrained_summary: Callable[..., Tensor]
    with_graph: bool = False
    hidden_layers: Sequence[int] = ()
    final_norm: nn.Module = field(default_factory=nn.Identity)
    states: list[Any] = field(default_factory=list)
    inserted: dict[int, list[Inserted]] = field(default_factory=dict)
    handed_on: dict[tuple[int, int], Any] = field(default_factory=dict)
    grown_masks: dict[tuple[int, int], tuple[Tensor, Tensor]] = field(default_factory=dict)
    sample_index: Tensor | None = None
    kept: Kept = field(default_factory=NothingKept)

    def num_inserted(self, layer: int) -> int:
        """Tokens that stand between prefix and patch tokens inside a block."""
        return sum(part.tokens.shape[1] for part in self.inserted.get(layer, ()))

    def hand_on(self, owner: int, layer: int, value: Any) -> None:
        """Keep what flows beside the blocks for block ``layer``.

        Raises:
            ValueError: In a block that activation checkpointing of torch's older kind wraps with all that acts on it:
                what leaves it other than by its output has no gradient.
        """
        if self.with_graph and not torch.is_grad_enabled():
            raise InvalidValueError(
                'what a tuning method hands on from block to block would lose its gradient in a block that the '
                'reentrant kind of activation checkpointing wraps; use CheckpointImpl.NO_REENTRANT, or, for methods '
                "that read what leaves whole blocks, MMEngine's activation_checkpointing."
            )
        self.handed_on[owner, layer] = value


class Activity:
    """Whether the tuning methods act, and in which forward: one object that the wrapper shares with its methods.

    They act while the wrapper encodes, and when activation checkpointing runs a part of that again in the backward.
    Several forwards may wait for their backwards, so the outputs of each know its context.
    """

    def __init__(self) -> None:
        self.encoding: TuningContext | None = None
        self.recomputed: ReferenceType[TuningContext] | None = None
        self.is_silent = False

    @property
    def context(self) -> TuningContext | None:
        """The context in which a hook that runs now acts; None if it does not act."""
        if self.is_silent:
            return None
        if self.encoding is not None or self.recomputed is None or torch.compiler.is_compiling():
            return self.encoding
        return self.recomputed() if is_recomputation() else None

    def resume_in_backward(self, features: BackboneFeatures, context: TuningContext) -> None:
        """Let the backward say, once it comes to these outputs, that what it runs again belongs to this forward.

        The context lives as long as the graph does.
        """
        if torch.compiler.is_compiling():
            return  # compiled graphs recompute by themselves

        def resume(_: Tensor) -> None:
            self.recomputed = ref(context)

        outputs = (features.patches, features.prefix, features.raw_prefix, *features.hidden.values())
        for output in outputs:
            if output is not None and output.requires_grad:
                output.register_hook(resume)

    def __deepcopy__(self, memo: dict[int, Any]) -> Activity:
        """A copy of the wrapper starts outside of any forward."""
        return type(self)()
