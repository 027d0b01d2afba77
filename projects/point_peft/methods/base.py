"""The contract of tuning methods: small modules that act at named sites of a frozen backbone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..backbones import PointBackbone
from ..structures import BackboneFeatures, PointTokens
from .context import Activity, Inserted, TuningContext
from .weight_change import WeightChange

INSIDE = -1
"""Place of what flows inside of the first block; that of block i is i below. It needs no block to be finished."""


class TuningMethod(nn.Module):
    """Base class of tuning methods.

    A method is built without knowing the backbone. ``setup`` creates its parameters for one, and ``attach`` says where
    it acts, with ``on_input`` and ``on_output``; ``detach`` takes it off. It acts while ``PEFTBackbone`` encodes, and
    when activation checkpointing runs a part of that again in the backward; otherwise the backbone computes what it was
    pre-trained to compute.

    Per forward, in this order: ``transform_points``, ``begin``, ``transform_tokens``, then block by block
    ``tokens_before`` and what was attached, and ``finish``. What ``begin`` returns is the method's ``state`` until the
    end of the forward; it must not be changed, since a block may run again. What flows beside the blocks goes from one
    to the next by ``hand_on`` and ``handed_to``.
    """

    needed_sites: Sequence[str] = ()
    """Sites that a backbone must have for this method (:attr:`PointBackbone.block_sites`)."""

    num_kept_tokens: int = 0
    """Tokens of this method that reach the head, as further prefix tokens; known after ``setup``."""

    gradient_from: int = 0
    """First block in which, and behind which, this method needs a gradient of the tokens."""

    tunes_embedding: bool = False
    """Whether the tokens are not embedded as pre-trained, since this method trains what embeds groups."""

    reads_sample_index: bool = False
    """Whether training needs ``context.sample_index``, the places of the clouds in the training set."""

    unfoldable: str = 'what it computes is no change of weights'
    """Why it cannot be folded into the backbone's weights, as a clause; empty if :meth:`weight_changes` says how.

    Emptiness is not inherited: a class that can be folded says so itself."""

    needs_exact_weights: str = ''
    """Why the backbone's frozen weights must not be rounded, as a clause; empty if it sees only what layers give."""

    position: int = 0
    """Number of this method among those of the wrapper."""

    def __init__(self) -> None:
        super().__init__()
        self.activity = Activity()
        self._handles: list[RemovableHandle] = []

    @property
    def context(self) -> TuningContext:
        """What the methods share in this forward; for use while the method acts."""
        context = self.activity.context
        assert context is not None, 'a tuning method has a context only while its wrapper encodes'
        return context

    @property
    def state(self) -> Any:
        """What ``begin`` returned in this forward; for use while the method acts."""
        return self.context.states[self.position]

    def setup(self, backbone: PointBackbone) -> None:
        """Create the parameters for ``backbone``; called once, at construction of the tuned backbone."""

    def start_from(self, backbone: PointBackbone) -> None:
        """Give parameters that start from the pre-trained weights their values; called when these are loaded."""

    def attach(self, backbone: PointBackbone) -> None:
        """Register what acts on modules of ``backbone``, with ``on_input`` and ``on_output``."""

    def detach(self, backbone: PointBackbone) -> None:
        """Remove what ``attach`` registered; the parameters stay, so the method can be attached again."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def backbone_parameters(self) -> list[str]:
        """Names of the backbone's own parameters that this method trains in place."""
        return []

    def weight_changes(self, backbone: PointBackbone) -> Sequence[WeightChange]:
        """What the method does in evaluation, as changes of weights; parameters trained in place need none.

        The order of several at one module is that in which they act.
        """
        return ()

    def transform_points(self, points: Tensor) -> Tensor:
        """Change the clouds (B, N, 3) before they are embedded."""
        return points

    def begin(self, context: TuningContext) -> Any:
        """Prepare what all blocks share (geometry, retrieval), once per forward, and return it: the ``state``."""

    def transform_tokens(self, tokens: PointTokens) -> PointTokens:
        """Change the embedded tokens before they are encoded."""
        return tokens

    def tokens_before(self, layer: int, x: Tensor) -> Inserted | None:
        """Tokens to put into the sequence before block ``layer``, behind the prefix; None for no such tokens.

        Args:
            layer (int): Number of the block.
            x (Tensor): (B, P+G, C) prefix and patch tokens that enter it.
        """
        return None

    def tokens_behind(self, layer: int, tokens: Tensor) -> Tensor:
        """Change the tokens (B, T, C) of this method that stay, as block ``layer`` leaves them, to the same shape.

        For what a method also does to the other tokens with ``on_output`` of the block, where its own are not.
        """
        return tokens

    def finish(self, features: BackboneFeatures, context: TuningContext) -> BackboneFeatures:
        """Change the features that the head sees."""
        return features

    def on_input(self, module: nn.Module, function: Callable[[Tensor], Tensor]) -> None:
        """Replace the first input ``x`` of ``module`` by ``function(x)``, of the same shape."""

        def hook(_: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]] | None:
            if self.activity.context is None:
                return None
            return (function(args[0]), *args[1:]), kwargs

        self._handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    def on_output(self, module: nn.Module, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        """Replace the output of ``module`` by ``function(input, output)``, of the same shape."""

        def hook(_: nn.Module, args: tuple, output: Tensor) -> Tensor | None:
            return None if self.activity.context is None else function(args[0], output)

        self._handles.append(module.register_forward_hook(hook))

    def hand_on(self, layer: int, value: Any) -> None:
        """Hand on what flows beside the blocks to block ``layer``, or to ``finish`` with the number of blocks."""
        self.context.hand_on(self.position, layer, value)

    def handed_to(self, layer: int) -> Any:
        """What was handed on to block ``layer``; None if nothing was."""
        return self.context.handed_on.get((self.position, layer))

    def keep_inside(self, layer: int, value: Any) -> None:
        """Keep what flows from one module of block ``layer`` to a later one of the same block."""
        self.context.handed_on[self.position, INSIDE - layer] = value

    def kept_inside(self, layer: int) -> Any:
        """Take what was kept inside of block ``layer``."""
        return self.context.handed_on.pop((self.position, INSIDE - layer))

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Prefix (B, P, C) and patch tokens (B, G, C) of what enters or leaves a block."""
        count = self.context.num_prefix
        prefix, patches = x.split([count, x.shape[1] - count], dim=1)
        return prefix, patches

    def split_inside(self, layer: int, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Prefix, inserted and patch tokens at a module inside block ``layer``, where the sequence is longer."""
        counts = self.context.num_prefix, self.context.num_inserted(layer)
        prefix, inserted, patches = x.split([*counts, x.shape[1] - sum(counts)], dim=1)
        return prefix, inserted, patches
