"""Tokens of tuning methods in the sequence of the blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..backbones import PointBackbone
from ..structures import BackboneFeatures
from .base import TuningMethod
from .context import Activity, Inserted, TuningContext

KEPT = -1
"""Owner of the tokens that stay; methods have the numbers from 0."""

LEFT = -2
"""Owner of the tokens as a block left them, where the head asked for them."""


class TokenInsertion:
    """Puts the methods' tokens before every block, and takes them out behind it.

    Before a block the sequence ``[prefix | patches]`` becomes ``[prefix | inserted | patches]``; after it those that
    stay are kept for the next block and the others are dropped. So the backbone, its positions and the methods that
    act on whole blocks never meet a longer sequence. A mask gets room for them: they see all tokens and all tokens see
    them. Between stages of a hierarchy kept tokens go through ``PointBackbone.carry``.

    Args:
        methods (Iterable[TuningMethod]): In the order in which their tokens stand.
        activity (Activity): Of the wrapper.
        backbone (PointBackbone): The backbone.
    """

    def __init__(self, methods: Iterable[TuningMethod], activity: Activity, backbone: PointBackbone) -> None:
        base = TuningMethod.tokens_before
        self.methods = [method for method in methods if type(method).tokens_before is not base]
        self.owners = {method.position: method for method in self.methods}
        self.activity = activity
        self.backbone = backbone
        self._handles: list[RemovableHandle] = []

    def attach(self) -> None:
        """Act inside of whatever the methods do on a block's input and output; to be called after theirs."""
        for layer, block in enumerate(self.backbone.layers if self.methods else ()):
            self._attach_to(block, layer)

    def detach(self) -> None:
        """Act no more."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _attach_to(self, block: nn.Module, layer: int) -> None:
        def before(_: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]] | None:
            context = self.activity.context
            return None if context is None else self.put_in(context, layer, args, kwargs)

        def behind(_: nn.Module, args: tuple, x: Tensor) -> Tensor | None:
            context = self.activity.context
            return None if context is None else self.take_out(context, layer, x)

        self._handles.append(block.register_forward_pre_hook(before, with_kwargs=True))
        self._handles.append(block.register_forward_hook(behind, prepend=True))

    def put_in(
        self, context: TuningContext, layer: int, args: tuple, kwargs: dict[str, Any]
    ) -> tuple[tuple, dict[str, Any]] | None:
        """Arguments of block ``layer`` with the methods' tokens; None if there are none."""
        x = args[0]
        inserted = list(context.handed_on.get((KEPT, layer), ()))
        for method in self.methods:
            new = method.tokens_before(layer, x)
            if new is not None:
                inserted.append(replace(new, owner=method.position))
        context.inserted[layer] = inserted = sorted(inserted, key=lambda part: part.owner)  # stable
        if not inserted:
            return None
        prefix, patches = x.split([context.num_prefix, x.shape[1] - context.num_prefix], dim=1)
        entering = [_entering(part).expand(x.shape[0], -1, -1) for part in inserted]
        longer = torch.cat([prefix, *entering, patches], dim=1)
        count = longer.shape[1] - x.shape[1]
        if kwargs.get('attn_mask') is not None:
            kwargs = {**kwargs, 'attn_mask': grow_mask_once(context, kwargs['attn_mask'], count)}
        elif len(args) > 1 and args[1] is not None:
            args = (x, grow_mask_once(context, args[1], count), *args[2:])
        return (longer, *args[1:]), kwargs

    def take_out(self, context: TuningContext, layer: int, x: Tensor) -> Tensor | None:
        """The output of block ``layer`` without the methods' tokens; None if there are none."""
        inserted = context.inserted[layer]
        if not inserted:
            return None
        lengths = [part.tokens.shape[1] for part in inserted]
        rest = x.shape[1] - context.num_prefix - sum(lengths)
        prefix, *parts, patches = x.split([context.num_prefix, *lengths, rest], dim=1)
        if layer in context.hidden_layers:
            context.hand_on(LEFT, layer, torch.cat(parts, dim=1))
        kept = [
            replace(old, tokens=self.owners[old.owner].tokens_behind(layer, tokens))
            for old, tokens in zip(inserted, parts)
            if old.stay
        ]
        if kept:
            context.hand_on(KEPT, layer + 1, self._carried(kept, layer))
        return torch.cat([prefix, patches], dim=1)

    def finish(self, features: BackboneFeatures, context: TuningContext) -> BackboneFeatures:
        """Features whose prefix has the tokens that stayed, behind the same norm, and those in hidden layers."""
        last = self.backbone.layer_stages[-1]
        hidden = {
            layer: context.final_norm(context.handed_on[LEFT, layer])
            for layer in context.hidden_layers
            if (LEFT, layer) in context.handed_on and self.backbone.layer_stages[layer] == last
        }
        features = replace(features, hidden_inserted=hidden) if hidden else features
        kept = [part for part in context.handed_on.get((KEPT, len(self.backbone.layers)), ()) if part.to_head]
        if not kept:
            return features
        raw = torch.cat([part.tokens for part in kept], dim=1)
        normed = context.final_norm(raw)
        before = features.raw_prefix
        return replace(
            features,
            prefix=torch.cat([features.prefix, normed], dim=1),
            raw_prefix=None if before is None else torch.cat([before, raw], dim=1),
            num_kept=raw.shape[1],
        )

    def _carried(self, kept: Sequence[Inserted], layer: int) -> list[Inserted]:
        """Kept tokens as those of the stage of the next block."""
        stages = self.backbone.layer_stages
        if layer + 1 == len(stages) or stages[layer + 1] == stages[layer]:
            return list(kept)
        stage = stages[layer + 1]
        return [
            replace(part, tokens=self.backbone.carry(part.tokens, stage), positions=None) for part in kept
        ]


def _entering(part: Inserted) -> Tensor:
    """Inserted tokens as they go into a block: with their positions, and changed as their method wants it."""
    tokens = part.tokens if part.positions is None else part.tokens + part.positions
    return tokens if part.change is None else part.change(tokens)


def grow_mask_once(context: TuningContext, mask: Tensor, count: int) -> Tensor:
    """A mask with room for ``count`` tokens behind the prefix; made once for all blocks that share it."""
    key = (id(mask), count)
    if key not in context.grown_masks:
        context.grown_masks[key] = (
            mask,
            grow_mask(mask, context.num_prefix, count),
        )  # keeping it keeps its id
    return context.grown_masks[key][1]


def grow_mask(mask: Tensor, at: int, count: int) -> Tensor:
    """Insert ``count`` fully visible rows and columns into a (..., L, L) mask at position ``at``."""
    visible = torch.ones if mask.dtype == torch.bool else torch.zeros
    for dim in (-1, -2):
        shape = list(mask.shape)
        shape[dim] = count
        before, after = mask.split([at, mask.shape[dim] - at], dim=dim)
        mask = torch.cat([before, visible(shape, dtype=mask.dtype, device=mask.device), after], dim=dim)
    return mask
