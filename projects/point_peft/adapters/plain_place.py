"""Tuning a module of any package in place, and where its adapters act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any
from weakref import ref

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle

from ..methods import PEFTBackbone
from ..methods.context import TuningContext
from ..methods.substitution import copy_name
from ..registry import MODELS
from .errors import AdapterError, PlainModuleError
from .plain_module import CHILD, NamedSites, PlainNetwork, refuse_methods_on_clouds


class Nothing:
    """Stands for what a plain module does not have."""

    def __getattr__(self, name: str) -> Any:
        """Refuse what is not there."""
        if name.startswith('__'):
            raise AttributeError(name)
        raise PlainModuleError(
            f'a tuning method asks for {name} of point clouds or their tokens, which a plain module has none of; use a '
            'backbone of this project, or a method that acts at sites.'
        )


class PlainTuning(PEFTBackbone):
    """The methods of an adapter on a plain module, which act while that runs.

    Args:
        backbone (PlainNetwork): The module as methods see it.
        methods (Sequence[dict]): Configs of methods.
    """

    latest: TuningContext | None = None

    def train(self, mode: bool = True) -> PlainTuning:
        """Switch the methods to ``mode``; statistics of frozen batch norms stay as they are.

        It is the last child of the module, so it has the last word on those.
        """
        self.methods.train(mode)  # type: ignore[attr-defined]
        self.training = mode
        for module in self.backbone.modules():
            if isinstance(module, _BatchNorm) and module.track_running_stats:
                module.eval()
        return self

    def base_state(self) -> dict[str, Tensor]:
        """Nothing: the module has what is pre-trained."""
        return {}

    def enter(self) -> None:
        """Let the methods act until :meth:`leave`."""
        if self.is_attached:
            nothing: Any = Nothing()
            self.latest = self.activity.encoding = TuningContext(
                nothing,
                nothing,
                self.backbone.num_prefix_tokens,
                nothing,
                with_graph=torch.is_grad_enabled(),
                states=[None] * len(list(self.methods)),
            )

    def leave(self) -> None:
        """Let them act no more, but for what activation checkpointing runs again."""
        self.activity.encoding = None
        self.activity.recomputed = None if self.latest is None else ref(self.latest)


def _enter(network: nn.Module, _: Any) -> None:
    """Hook before a module; a copy of the module has it too, and finds its own child."""
    tuning = network._modules.get(CHILD)
    if isinstance(tuning, PlainTuning):
        tuning.enter()


def _leave(network: nn.Module, *_: Any) -> None:
    tuning = network._modules.get(CHILD)
    if isinstance(tuning, PlainTuning):
        tuning.leave()


class PlainPlace:
    """A module of any package; see :class:`~.model_place.ModelPlace`.

    Args:
        model (nn.Module): The module.
        sites (NamedSites): Where methods may act.
        modules_to_save (Sequence[str]): Paths of modules that every adapter trains a copy of, such as the classifier.

    Raises:
        AdapterError: One of them does not exist, or the module has something of the name that is needed.
    """

    def __init__(self, model: nn.Module, sites: NamedSites, modules_to_save: Sequence[str] = ()) -> None:
        known = dict(model.named_modules())
        missing = [path for path in modules_to_save if not path or path not in known]
        if missing:
            raise AdapterError(
                f'modules_to_save has {missing[0]!r}, but {type(model).__name__} has no such module.'
            )
        if hasattr(model, CHILD):
            raise AdapterError(
                f'{type(model).__name__} has a {CHILD!r} already, which is where adapters would stand; rename it.'
            )
        self.model, self.sites, self.modules_to_save = model, sites, tuple(modules_to_save)
        self.backbone = PlainNetwork(model, sites, modules_to_save)
        self._handles: list[RemovableHandle] = []

    @property
    def wrapper(self) -> PEFTBackbone | None:
        """What tunes the module now."""
        return getattr(self.model, CHILD, None)

    @property
    def types(self) -> dict[str, str]:
        """The module's type; no part of a config knows it."""
        return dict(backbone=type(self.model).__name__, model=type(self.model).__name__)

    def build(self, methods: Sequence[dict[str, Any]]) -> PEFTBackbone:
        """What tunes the module with these methods."""
        refuse_methods_on_clouds([MODELS.get(method['type']) for method in methods])
        wrapper = PlainTuning(self.backbone, deepcopy(list(methods)))  # type: ignore[arg-type]
        wrapper.is_init = True
        return wrapper

    def put(self, wrapper: PEFTBackbone) -> None:
        """Make it a part of the module, so that its parameters are found, and it comes last."""
        self.take_off()
        self.model.add_module(CHILD, wrapper)
        self._handles = [
            self.model.register_forward_pre_hook(_enter, prepend=True),
            self.model.register_forward_hook(_leave, always_call=True),
        ]

    def take_off(self) -> None:
        """Take it out again."""
        if CHILD in self.model._modules:
            delattr(self.model, CHILD)
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def freeze(self) -> None:
        """Let nothing be trained but the adapter."""
        self.backbone.requires_grad_(False)

    def names_of_base(self, wrapper: PEFTBackbone) -> dict[str, str]:
        """The names of pre-trained tensors, and of copies of tuned ones."""
        copies = {f'{CHILD}.{copy_name(name)}': name for name in wrapper.tuned_names}
        return {name: name for name in self.backbone.pretrained_names} | copies

    def own_modules(self) -> dict[str, nn.Module | None]:
        """The modules that every adapter has a copy of."""
        return {path: self.model.get_submodule(path) for path in self.modules_to_save}

    def new_modules(
        self, wrapper: PEFTBackbone, originals: Mapping[str, nn.Module | None], head: Mapping[str, Any]
    ) -> dict[str, nn.Module | None]:
        """Copies of them.

        Raises:
            AdapterError: The head is to be changed, but nothing says how that of a plain module is built.
        """
        if head:
            raise AdapterError(
                'head= changes the head of a model of this project; name modules of a plain module in modules_to_save.'
            )
        found = {path: deepcopy(module) for path, module in originals.items()}
        for module in found.values():
            if module is not None:
                module.requires_grad_(True)
        return found

    def config(
        self, original: Mapping[str, Any] | None, peft: Sequence[dict[str, Any]], modules: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """What the adapter is, in words that files keep and compare."""
        return dict(
            type=type(self.model).__name__,
            peft=dict(methods=deepcopy(list(peft))),
            sites=self.sites.to_dict(),
            modules_to_save=list(self.modules_to_save),
        )

    def parts_of(self, network: Mapping[str, Any]) -> tuple[Any, Any]:
        """Methods of a description; a plain module has no head of its own config."""
        peft = network.get('peft')
        return (peft.get('methods') if isinstance(peft, Mapping) else None), None

    def untuned(self, config: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """None: no config says what a plain module is."""
        return None
