"""A frozen backbone with tuning methods attached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..backbones import PointBackbone
from ..backbones.base import TokenFunction
from ..backbones.early_summary import summarize
from ..backbones.layers import DropPath
from ..io.errors import InvalidValueError
from ..registry import MODELS
from ..structures import BackboneFeatures, PointTokens
from .base import TuningMethod
from .context import Activity, TuningContext
from .evaluation_cache import EvaluationCache, kept_results
from .folding import fold_methods, refuse_folded
from .frozen_storage import refuse_stored, store_frozen
from .insertion import TokenInsertion
from .recomputation import with_graph, without_gradient
from .saved_tensors import checked_saved_dtype, saved_in
from .sizes import SizesOfBackbone
from .substitution import copy_name, drop_path_off, exchange_values, substituted
from .training_views import TrainingViews


@MODELS.register_module()
class PEFTBackbone(SizesOfBackbone, BaseModule):
    """Freeze a backbone and tune it by tuning methods.

    Frozen means frozen: no gradient, and batch-norm statistics that stay as pre-trained. Drop-path is the one thing
    in the backbone that follows ``train()``, since it regularises the tuned branches. ``methods=[]`` is linear probing.

    Args:
        backbone (dict | PointBackbone): Config of a plain backbone, or one that is there, with nothing attached.
        methods (Sequence[dict]): Configs of tuning methods, in the order in which they act on a module's output.
        frozen_dtype (str | None): ``bfloat16`` stores the blocks' frozen weights so, see :func:`store_frozen`; or None.
        saved_dtype (str | None): ``bfloat16`` saves the blocks' tensors for the backward so, see :func:`saved_in`.
    """

    def __init__(
        self,
        backbone: dict[str, Any] | PointBackbone,
        methods: Sequence[dict[str, Any]] = (),
        *,
        frozen_dtype: str | None = None,
        saved_dtype: str | None = None,
    ) -> None:
        super().__init__()
        self.saved_dtype = checked_saved_dtype(saved_dtype)
        self.backbone: PointBackbone = MODELS.build(backbone) if isinstance(backbone, dict) else backbone
        self.backbone.requires_grad_(False)
        self.methods: Iterable[TuningMethod] = nn.ModuleList(map(MODELS.build, methods))  # type: ignore[assignment]
        self.activity = Activity()
        for position, method in enumerate(self.methods):
            self.backbone.require_sites(method.needed_sites, for_whom=type(method).__name__)
            method.activity, method.position = self.activity, position
            method.setup(self.backbone)
        self.tuned_names = sorted({name for method in self.methods for name in method.backbone_parameters()})
        for name in self.tuned_names:
            parameter = self.backbone.get_parameter(name).requires_grad_(True)
            self.register_buffer(copy_name(name), parameter.detach().clone())
        store_frozen(self.backbone, self.methods, frozen_dtype)
        self.insertion = TokenInsertion(self.methods, self.activity, self.backbone)
        self.is_folded = False
        self.evaluation_cache: EvaluationCache | None = None
        self.training_views: TrainingViews | None = None
        self._handles: list[RemovableHandle] = []
        self._attach_methods()

    def forward(
        self,
        points: Tensor,
        *,
        hidden_layers: Sequence[int] = (),
        transform_tokens: TokenFunction | None = None,
        sample_index: Tensor | None = None,
    ) -> BackboneFeatures:
        """Embed and encode clouds (B, N, 3) with the tuning methods acting; arguments as of :class:`PointBackbone`.

        The tuning methods see the tokens as pre-trained, without what ``transform_tokens`` adds. ``sample_index`` (B,)
        int64 says where in the training set the clouds are, if ``reads_sample_index``.

        Raises:
            ValueError: If another number of tokens reaches the head than the methods said.
        """
        if not self.is_attached:
            return self.backbone(points, hidden_layers=hidden_layers, transform_tokens=transform_tokens)
        given = points
        for method in self.methods:
            points = method.transform_points(points)
        kept = kept_results(self.training_views if self.training else self.evaluation_cache, given, points)
        tokens = kept.get('tokens', lambda: self.embed(points), is_frozen=not self.tunes_embedding)
        num_prefix, norm = self.backbone.num_prefix_tokens, self.backbone.final_norm()
        seen = (points, tokens, num_prefix, self.pretrained_summary, torch.is_grad_enabled())
        context = TuningContext(*seen, hidden_layers, norm, sample_index=sample_index, kept=kept)
        context.states.extend(method.begin(context) for method in self.methods)
        for method in self.methods:
            tokens = method.transform_tokens(tokens)
        if transform_tokens is not None:
            tokens = transform_tokens(tokens)
        if self.tuned_names or any(True for method in self.methods for _ in method.parameters()):
            tokens = with_graph(tokens, self.backbone)
        self.activity.encoding = context
        try:
            with saved_in(self.saved_dtype):
                features = self.backbone.encode(tokens, hidden_layers=hidden_layers)
                features = self.insertion.finish(features, context)
                for method in self.methods:
                    features = method.finish(features, context)
        finally:
            self.activity.encoding = None
        if features.prefix.shape[1] != self.num_prefix_tokens:
            raise InvalidValueError(
                f'{features.prefix.shape[1]} prefix tokens reach the head, but it was built for '
                f'{self.num_prefix_tokens}; let num_kept_tokens of the tuning methods say how many of theirs stay.'
            )
        self.activity.resume_in_backward(features, context)
        return features

    def embed(self, points: Tensor) -> PointTokens:
        """Embed clouds (B, N, 3), exactly whatever autocast says, since little is computed."""
        with torch.autocast(points.device.type, enabled=False):
            return self.backbone.embed(points)

    @torch.no_grad()
    def pretrained_summary(self, tokens: PointTokens, num_layers: int | None = None) -> Tensor:
        """Descriptor (B, C) of tokens by the backbone as pre-trained: no methods, no tuned values, no drop-path.

        It does not depend on autocast either, since memory banks do not: rounded, it finds other neighbours. With
        ``num_layers``, the first blocks alone describe them, where the backbone can do that.
        """
        refuse_stored(self.backbone, 'the descriptor of the pre-trained backbone')
        kept = {name: self.get_buffer(copy_name(name)) for name in self.tuned_names}
        dtype = next(self.backbone.parameters()).dtype
        self.activity.is_silent = True
        try:
            with (
                torch.autocast(tokens.features.device.type, enabled=False),
                drop_path_off(self.backbone),
                substituted(self.backbone, kept),
            ):
                features = tokens.features.to(dtype)
                if self.tunes_embedding:
                    features = self.backbone.embed_groups(tokens.neighborhoods.to(dtype))
                return summarize(self.backbone, replace(tokens, features=features), num_layers)
        finally:
            self.activity.is_silent = False

    def attach(self) -> None:
        """Let the tuning methods act (again)."""
        if not self.is_attached:
            self._exchange_tuned_values()
            self._attach_methods()

    def detach(self) -> PointBackbone:
        """Take the tuning methods off and return the untouched pre-trained backbone; ``attach`` puts them back."""
        refuse_folded(self)
        if self.is_attached:
            self._exchange_tuned_values()
            self._detach_methods()
        return self.backbone

    def fold(self) -> PointBackbone:
        """Put the methods into the backbone's weights, for good, and return it: it computes the same without them.

        Raises:
            FoldingError: If a method is no change of weights, a weight would be NaN, or it has been done before.
        """
        return fold_methods(self)

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
            self.get_buffer(copy_name(name)).copy_(self.backbone.get_parameter(name).detach())
        for method in self.methods:
            method.start_from(self.backbone)

    def base_state(self) -> dict[str, Tensor]:
        """Tensors that came from the pre-trained file, by name, with their pre-trained values."""
        state = {f'backbone.{name}': value for name, value in self.backbone.base_state().items()}
        for name in self.tuned_names:
            if f'backbone.{name}' in state:
                copy = self.get_buffer(copy_name(name))
                state[f'backbone.{name}'] = state[copy_name(name)] = copy
        return state

    def pretrained_state(self) -> dict[str, Tensor]:
        """What ``pretrained_summary`` depends on: the backbone as pre-trained, without fresh prefix tokens."""
        state = self.backbone.state_dict()
        state.update({name: self.get_buffer(copy_name(name)) for name in self.tuned_names})
        fresh = () if self.backbone.prefix_is_pretrained else self.backbone.prefix_parameters()
        return {name: value for name, value in state.items() if name not in fresh}

    def forget_methods(self) -> None:
        """Take the methods off for good, and leave the backbone as it computes now."""
        self._detach_methods()
        for name in self.tuned_names:
            delattr(self, copy_name(name))
        self.methods, self.tuned_names = nn.ModuleList(), []  # type: ignore[assignment]
        self.backbone.requires_grad_(False)
        self.insertion = TokenInsertion(self.methods, self.activity, self.backbone)
        self._attach_methods()
        self.is_init = self.is_folded = True

    def __deepcopy__(self, memo: dict[int, Any]) -> PEFTBackbone:
        """Copy without the hooks, which would act for the original's methods, and hook the copy up with its own."""
        was_attached = self.is_attached
        self._detach_methods()
        clone = memo[id(self)] = type(self).__new__(type(self))
        clone.__dict__.update(deepcopy(self.__dict__, memo))
        for wrapper in (self, clone) if was_attached else ():
            wrapper._attach_methods()
        return clone

    def _attach_methods(self) -> None:
        """Register what acts on the backbone's modules."""
        for method in self.methods:
            method.attach(self.backbone)
        self.insertion.attach()
        lowest = min((method.gradient_from for method in self.methods), default=0)
        if lowest > 0:
            register = self.backbone.layers[lowest].register_forward_pre_hook
            self._handles.append(register(without_gradient, with_kwargs=True, prepend=True))
        self.is_attached = True

    def _detach_methods(self) -> None:
        """Remove it."""
        for method in self.methods:
            method.detach(self.backbone)
        self.insertion.detach()
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self.is_attached = False

    def _exchange_tuned_values(self) -> None:
        """Exchange tuned and pre-trained values."""
        exchange_values(self.backbone, {name: self.get_buffer(copy_name(name)) for name in self.tuned_names})
