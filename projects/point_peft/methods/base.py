"""The contract of tuning methods: small modules that act on named modules of a frozen backbone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import ReferenceType

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..backbones import PointBackbone
from ..structures import BackboneFeatures, PointTokens
from .recomputation import ForwardPass, attributes_when_recomputing, own_attributes, with_attributes


@dataclass(frozen=True)
class TuningContext:
    """What the tuning methods share during one forward of the tuned backbone.

    Attributes:
        points (Tensor): (B, N, 3) clouds as the backbone sees them.
        tokens (PointTokens): The embedded groups.
        num_prefix (int): Prefix tokens P in front of the sequence.
        pretrained_summary (Callable): Descriptor (B, C) of some tokens by the untouched pre-trained backbone,
            computed without gradient.
        grown_masks (dict): Attention masks that already have room for inserted tokens, by mask and number of tokens.
    """

    points: Tensor
    tokens: PointTokens
    num_prefix: int
    pretrained_summary: Callable[[PointTokens], Tensor]
    grown_masks: dict[tuple[int, int], tuple[Tensor, Tensor]] = field(default_factory=dict)

    def grow_mask(self, mask: Tensor, count: int) -> Tensor:
        """Make room for ``count`` tokens behind the prefix in a mask (..., L, L); once for all blocks that share it."""
        key = (id(mask), count)
        if key not in self.grown_masks:
            self.grown_masks[key] = (
                mask,
                _grow_mask(mask, self.num_prefix, count),
            )  # keeping it keeps its id
        return self.grown_masks[key][1]


class TuningMethod(nn.Module):
    """Base class of tuning methods.

    A method is built without knowing the backbone, then ``setup`` creates its parameters for one and ``attach``
    registers its PyTorch hooks on the backbone's modules. The hooks act while ``PEFTBackbone`` encodes, and when
    activation checkpointing runs a part of that again in the backward; otherwise the backbone computes what it was
    pre-trained to compute. ``detach`` removes them.

    Per forward, in this order: ``transform_points``, ``begin``, the hooks during ``encode``, ``finish``. When a hook
    runs again, the method's attributes are for that time what they were when it ran first, whatever ran in between. So
    a method keeps what a forward needs in attributes, and sets them anew rather than change their tensors in place.
    """

    context: TuningContext | None = None
    """What the methods share; None outside of ``encode``."""

    forward_pass: ForwardPass | None = None
    """Where hooks note the method's attributes; None outside of ``encode``."""

    recomputed_pass: ReferenceType[ForwardPass] | None = None
    """The forward that the backward came to last."""

    is_silent: bool = False
    """Whether the hooks must not act, because the pre-trained descriptor is being computed."""

    def __init__(self) -> None:
        super().__init__()
        self._handles: list[RemovableHandle] = []

    def setup(self, backbone: PointBackbone) -> None:
        """Create the parameters for ``backbone``; called once, at construction of the tuned backbone."""

    def attach(self, backbone: PointBackbone) -> None:
        """Register the hooks on modules of ``backbone``, with ``on_input`` and ``on_output``."""

    def detach(self, backbone: PointBackbone) -> None:
        """Remove the hooks; the parameters stay, so the method can be attached again."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def backbone_parameters(self) -> list[str]:
        """Names of the backbone's own parameters that this method trains in place."""
        return []

    def transform_points(self, points: Tensor) -> Tensor:
        """Change the clouds (B, N, 3) before they are embedded."""
        return points

    def begin(self, context: TuningContext) -> None:
        """Prepare what all blocks share (geometry, retrieval), once per forward; no hook acts yet."""

    def finish(self, features: BackboneFeatures, context: TuningContext) -> BackboneFeatures:
        """Change the features that the head sees; no hook acts any more."""
        return features

    def on_input(self, module: nn.Module, function: Callable[..., Any]) -> None:
        """Replace the first input ``x`` of ``module`` by ``function(x)`` while the tuned backbone encodes.

        For a block that is called with an attention mask, the mask grows with the sequence: what was inserted after
        the prefix attends to everything and is seen by everything.
        """

        def hook(_: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]] | None:
            return self._run(hook, lambda: self._with_changed_input(function(args[0]), args, kwargs))

        self._handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    def on_output(self, module: nn.Module, function: Callable[..., Any], *, first: bool = False) -> None:
        """Replace the output of ``module`` by ``function(input, output)`` while the tuned backbone encodes.

        ``first`` lets it act before the methods that were attached earlier.
        """

        def hook(_: nn.Module, args: tuple, output: Tensor) -> Tensor | None:
            return self._run(hook, lambda: function(args[0], output))

        self._handles.append(module.register_forward_hook(hook, prepend=first))

    def _run(self, place: Callable[..., Any], function: Callable[[], Any]) -> Any:
        """What a hook gives: None, which changes nothing, where the methods do not act."""
        if self.is_silent:
            return None
        if self.context is not None:
            if self.forward_pass is not None:
                self.forward_pass.note(place, own_attributes(self))
            return function()
        attributes = attributes_when_recomputing(self.recomputed_pass, place)
        if attributes is None:
            return None
        with with_attributes(self, attributes):
            return function()

    def _with_changed_input(
        self, changed: Tensor, args: tuple, kwargs: dict[str, Any]
    ) -> tuple[tuple, dict[str, Any]]:
        """Arguments of a module with another first one, and with a mask, if there is one, that fits its length."""
        assert self.context is not None
        inserted = changed.shape[1] - args[0].shape[1]
        if inserted and kwargs.get('attn_mask') is not None:
            kwargs = {**kwargs, 'attn_mask': self.context.grow_mask(kwargs['attn_mask'], inserted)}
        elif inserted and len(args) > 1 and args[1] is not None:
            args = (args[0], self.context.grow_mask(args[1], inserted), *args[2:])
        return (changed, *args[1:]), kwargs


def _grow_mask(mask: Tensor, at: int, count: int) -> Tensor:
    """Insert ``count`` fully visible rows and columns into a (..., L, L) mask at position ``at``."""
    visible = torch.ones if mask.dtype == torch.bool else torch.zeros
    for dim in (-1, -2):
        shape = list(mask.shape)
        shape[dim] = count
        before, after = mask.split([at, mask.shape[dim] - at], dim=dim)
        mask = torch.cat([before, visible(shape, dtype=mask.dtype, device=mask.device), after], dim=dim)
    return mask
