"""The contract of tuning methods: small modules that act on named modules of a frozen backbone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..backbones import PointBackbone
from ..structures import BackboneFeatures, PointTokens


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


class Tuner(nn.Module):
    """Base class of tuning methods.

    A method is built without knowing the backbone, then ``setup`` creates its parameters for one and ``attach``
    registers its PyTorch hooks on the backbone's modules. The hooks act only while ``context`` is set, that is while
    ``PEFTBackbone`` encodes; otherwise the backbone computes what it was pre-trained to compute. ``detach`` removes
    them.

    Per forward, in this order: ``transform_points``, ``begin``, the hooks during ``encode``, ``finish``.
    """

    context: TuningContext | None = None

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
        """Replace the first input ``x`` of ``module`` by ``function(x)`` while a context is open.

        For a block that is called with an attention mask, the mask grows with the sequence: what was inserted after
        the prefix attends to everything and is seen by everything.
        """

        def hook(_: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]] | None:
            if self.context is None:
                return None
            changed = function(args[0])
            mask = kwargs.get('attn_mask')
            inserted = changed.shape[1] - args[0].shape[1]
            if mask is not None and inserted:
                kwargs = {**kwargs, 'attn_mask': self.context.grow_mask(mask, inserted)}
            return (changed, *args[1:]), kwargs

        self._handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    def on_output(self, module: nn.Module, function: Callable[..., Any], *, first: bool = False) -> None:
        """Replace the output of ``module`` by ``function(input, output)`` while a context is open.

        ``first`` lets it act before the methods that were attached earlier.
        """

        def hook(_: nn.Module, args: tuple, output: Tensor) -> Tensor | None:
            return None if self.context is None else function(args[0], output)

        self._handles.append(module.register_forward_hook(hook, prepend=first))


def _grow_mask(mask: Tensor, at: int, count: int) -> Tensor:
    """Insert ``count`` fully visible rows and columns into a (..., L, L) mask at position ``at``."""
    visible = torch.ones if mask.dtype == torch.bool else torch.zeros
    for dim in (-1, -2):
        shape = list(mask.shape)
        shape[dim] = count
        before, after = mask.split([at, mask.shape[dim] - at], dim=dim)
        mask = torch.cat([before, visible(shape, dtype=mask.dtype, device=mask.device), after], dim=dim)
    return mask
