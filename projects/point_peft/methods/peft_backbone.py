"""A frozen backbone with tuning methods attached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..backbones import PointBackbone
from ..backbones.base import TokenFunction
from ..backbones.layers import DropPath
from ..registry import MODELS
from ..structures import BackboneFeatures, PointTokens
from .base import TuningContext, TuningMethod
from .recomputation import ForwardPass, is_recomputed
from .substitution import substituted, whole_parameter

COPY = 'pretrained_'
"""Prefix of the buffers that keep the pre-trained values of parameters which are trained in place."""


@MODELS.register_module()
class PEFTBackbone(BaseModule):
    """Freeze a backbone and tune it by tuning methods.

    Frozen means frozen: no gradient, and batch-norm statistics that stay as pre-trained. Drop-path is the one thing
    in the backbone that follows ``train()``, since it regularises the tuned branches. ``methods=[]`` is linear probing.

    Args:
        backbone (dict): Config of a plain backbone.
        methods (Sequence[dict]): Configs of tuning methods, in the order in which they act on a module's output.
    """

    def __init__(self, backbone: dict[str, Any], methods: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__()
        self.backbone: PointBackbone = MODELS.build(backbone)
        self.backbone.requires_grad_(False)
        self.methods: Iterable[TuningMethod] = nn.ModuleList(map(MODELS.build, methods))  # type: ignore[assignment]
        for method in self.methods:
            method.setup(self.backbone)
        self.tuned_names = sorted({name for method in self.methods for name in method.backbone_parameters()})
        for name in self.tuned_names:
            parameter = self.backbone.get_parameter(name).requires_grad_(True)
            self.register_buffer(_copy_name(name), parameter.detach().clone())
        self.is_attached = True
        for method in self.methods:
            method.attach(self.backbone)

    @property
    def embed_dim(self) -> int:
        """Token dimension C."""
        return self.backbone.embed_dim

    @property
    def num_prefix_tokens(self) -> int:
        """Number P of prefix tokens."""
        return self.backbone.num_prefix_tokens

    @property
    def num_groups(self) -> int:
        """Groups G per cloud."""
        return self.backbone.num_groups

    @property
    def layer_dims(self) -> Sequence[int]:
        """Token dimension of every block."""
        return self.backbone.layer_dims

    def forward(
        self, points: Tensor, *, hidden_layers: Sequence[int] = (), enrich: TokenFunction | None = None
    ) -> BackboneFeatures:
        """Embed and encode clouds (B, N, 3) with the tuning methods acting; arguments as of :class:`PointBackbone`.

        The tuning methods see the tokens as pre-trained, without what ``enrich`` adds.
        """
        if not self.is_attached:
            return self.backbone(points, hidden_layers=hidden_layers, enrich=enrich)
        for method in self.methods:
            points = method.transform_points(points)
        # No graph is built, since nothing in here needs a gradient, and little is computed, so it may be exact.
        with torch.autocast(points.device.type, enabled=False):
            tokens = self.backbone.embed(points)
        context = TuningContext(points, tokens, self.backbone.num_prefix_tokens, self.pretrained_summary)
        for method in self.methods:
            method.begin(context)
        forward_pass = ForwardPass()
        with self._hooks_acting(context, forward_pass):
            tokens = context.tokens if enrich is None else enrich(context.tokens)
            features = self.backbone.encode(self._with_graph(tokens), hidden_layers=hidden_layers)
        for method in self.methods:
            features = method.finish(features, context)
        forward_pass.resume_in_backward(features, self.methods)
        return features

    @torch.no_grad()
    def pretrained_summary(self, tokens: PointTokens) -> Tensor:
        """Descriptor (B, C) of tokens by the backbone as pre-trained: no hooks, no tuned values, no drop-path.

        It does not depend on autocast either, since memory banks do not: rounded, it finds other neighbours.
        """
        kept = {name: self.get_buffer(_copy_name(name)) for name in self.tuned_names}
        dtype = next(self.backbone.parameters()).dtype
        with (
            torch.autocast(tokens.features.device.type, enabled=False),
            self._hooks_silent(),
            substituted(self.backbone, kept),
            _without_drop_path(self.backbone),
        ):
            return self.backbone.summarize(replace(tokens, features=tokens.features.to(dtype)))

    def attach(self) -> None:
        """Let the tuning methods act (again)."""
        if self.is_attached:
            return
        self._exchange_tuned_values()
        for method in self.methods:
            method.attach(self.backbone)
        self.is_attached = True

    def detach(self) -> PointBackbone:
        """Take the tuning methods off and return the untouched pre-trained backbone; ``attach`` puts them back."""
        if self.is_attached:
            self._exchange_tuned_values()
            for method in self.methods:
                method.detach(self.backbone)
            self.is_attached = False
        return self.backbone

    def train(self, mode: bool = True) -> PEFTBackbone:
        """Switch the tuning methods to ``mode``; of the frozen backbone only its drop-path follows."""
        super().train(mode)
        self.backbone.eval()
        for module in self.backbone.modules():
            if isinstance(module, DropPath):
                module.train(mode)
        return self

    def init_weights(self) -> None:
        """Load the pre-trained weights and remember those that are going to be trained in place; done once."""
        if self.is_init:  # type: ignore[has-type]
            return
        self.is_init = True
        self.backbone.init_weights()
        for name in self.tuned_names:
            self.get_buffer(_copy_name(name)).copy_(self.backbone.get_parameter(name).detach())

    def base_state(self) -> dict[str, Tensor]:
        """Tensors that came from the pre-trained file, by name, with their pre-trained values."""
        state = {f'backbone.{name}': value for name, value in self.backbone.base_state().items()}
        for name in self.tuned_names:
            if f'backbone.{name}' in state:
                copy = self.get_buffer(_copy_name(name))
                state[f'backbone.{name}'] = state[_copy_name(name)] = copy
        return state

    def pretrained_state(self) -> dict[str, Tensor]:
        """What ``pretrained_summary`` depends on: the backbone as pre-trained, without fresh prefix tokens."""
        state = self.backbone.state_dict()
        state.update({name: self.get_buffer(_copy_name(name)) for name in self.tuned_names})
        fresh = () if self.backbone.prefix_is_pretrained else self.backbone.prefix_parameters()
        return {name: value for name, value in state.items() if name not in fresh}

    def __deepcopy__(self, memo: dict[int, Any]) -> PEFTBackbone:
        """Copy without the hooks, which would act for the original's methods, and hook the copy up with its own."""
        attached = [method for method in self.methods if self.is_attached]
        for method in attached:
            method.detach(self.backbone)
        clone = memo[id(self)] = type(self).__new__(type(self))
        clone.__dict__.update(deepcopy(self.__dict__, memo))
        for wrapper in (self, clone) if attached else ():
            for method in wrapper.methods:
                method.attach(wrapper.backbone)
        return clone

    @contextmanager
    def _hooks_acting(
        self, context: TuningContext, forward_pass: ForwardPass | None = None
    ) -> Iterator[None]:
        for method in self.methods:
            method.context, method.forward_pass = context, forward_pass
        try:
            yield
        finally:
            for method in self.methods:
                method.context = method.forward_pass = None

    @contextmanager
    def _hooks_silent(self) -> Iterator[None]:
        """Let no hook act inside the block, whether a forward or a backward is under way."""
        for method in self.methods:
            method.is_silent = True
        try:
            yield
        finally:
            for method in self.methods:
                method.is_silent = False

    def _with_graph(self, tokens: PointTokens) -> PointTokens:
        """Tokens that ask for a gradient where the blocks need that to be recomputed.

        MMEngine's activation checkpointing is of torch's older kind (reentrant), which gives the parameters of a block
        no gradient unless its input gets one; the embedding is frozen.
        """
        features = tokens.features
        if not torch.is_grad_enabled() or features.requires_grad or not self._trains_recomputed_blocks():
            return tokens
        return replace(tokens, features=features.detach().requires_grad_())

    def _trains_recomputed_blocks(self) -> bool:
        """Whether a module in the blocks is recomputed in the backward, and anything is trained there."""
        if not self.tuned_names and all(next(method.parameters(), None) is None for method in self.methods):
            return False
        return any(is_recomputed(module) for block in self.backbone.layers for module in block.modules())

    def _exchange_tuned_values(self) -> None:
        """Exchange tuned and pre-trained values by exchanging storages; nothing is copied.

        Raises:
            ShardingError: If a tuned parameter is divided among processes.
        """
        copies = [self.get_buffer(_copy_name(name)) for name in self.tuned_names]
        parameters = [
            whole_parameter(self.backbone, name, copy.shape) for name, copy in zip(self.tuned_names, copies)
        ]
        for parameter, copy in zip(parameters, copies):
            parameter.data, copy.data = copy.data, parameter.data
        torch.clear_autocast_cache()  # which goes by the parameter, and not by its values


@contextmanager
def _without_drop_path(module: nn.Module) -> Iterator[None]:
    """Switch stochastic depth off inside the block."""
    active = [m for m in module.modules() if isinstance(m, DropPath) and m.training]
    for drop_path in active:
        drop_path.training = False
    try:
        yield
    finally:
        for drop_path in active:
            drop_path.training = True


def _copy_name(name: str) -> str:
    return COPY + name.replace('.', '_')
