"""The adapters of a model: several on one backbone, of which one acts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn

from ..engine.checkpoint import BaseFingerprint, set_fingerprint
from ..methods.folding import refuse_folded
from ..methods.frozen_storage import storage_of
from ..methods.substitution import copy_name, exchange_values
from ..registry.built_from import config_of, remember_config
from .adapter import DEFAULT, Adapter
from .errors import AdapterError
from .model_place import ModelPlace
from .plain_place import PlainPlace

Place = ModelPlace | PlainPlace


class Adapters:
    """All adapters of a model. The backbone is there once, and neither copied nor loaded again when they are switched.

    Args:
        place (Place): Where they act.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.model = place.model
        self.known: dict[str, Adapter] = {}
        self.active: str | None = None
        self.is_disabled = False
        self.original = place.own_modules()
        self.original_config = config_of(self.model)
        wrapper = place.wrapper
        if wrapper is not None:
            wrapper.detach()
        self._backbone: Any = place.backbone
        self._settle_base(self._backbone, is_tuned=wrapper is not None)
        self.storage = storage_of(self._backbone)
        exact = self.storage.exact if self.storage else None
        self.base = BaseFingerprint.of(self._backbone.base_state(), exact)
        if wrapper is not None:
            methods = [dict(config_of(method) or {}) for method in wrapper.methods]
            self.known[DEFAULT] = Adapter(
                wrapper, dict(self.original), methods, self.original_config, self._fresh_values()
            )
            self._put_on(DEFAULT)

    def get(self, name: str | None = None) -> Adapter:
        """An adapter by name; None is the one that acts.

        Raises:
            AdapterError: There is none of this name, or none at all.
        """
        if name is None:
            name = self.active
        if name is None or name not in self.known:
            known = ', '.join(map(repr, self.known)) or 'none'
            raise AdapterError(
                f'the model has no adapter {name!r}; it has {known}.'
                if name is not None
                else 'the model has no adapter; make one with get_peft_model or load one with load_adapter.'
            )
        return self.known[name]

    @contextmanager
    def adding(
        self, name: str, methods: Sequence[dict[str, Any]], head: Mapping[str, Any]
    ) -> Iterator[Adapter]:
        """A new adapter, which acts; if anything fails inside the block, all is as before.

        Raises:
            AdapterError: There is one of this name, or the adapters are switched off.
        """
        if not name or not isinstance(name, str):
            raise AdapterError(f'{name!r} is no name of an adapter; give some text.')
        if name in self.known:
            raise AdapterError(f'the model has an adapter {name!r} already; delete it, or give another name.')
        self.refuse_disabled()
        before, flags = self.active, [(p, p.requires_grad) for p in self.model.parameters()]
        self._put_off()
        try:
            wrapper = self.place.build(methods)
            wrapper.detach()
            modules = self.place.new_modules(wrapper, self.original, head)
            config = self.place.config(self.original_config, methods, modules)
            self.known[name] = Adapter(
                wrapper, modules, deepcopy(list(methods)), config, self._fresh_values()
            )
            self._put_on(name)
            yield self.known[name]
        except BaseException:
            self._put_off()
            self.known.pop(name, None)
            if before is None:
                self.leave()
            else:
                self._put_on(before)
            for parameter, flag in flags:
                parameter.requires_grad_(flag)
            raise

    def merge(self) -> None:
        """Fold the adapter that acts into the backbone, and leave that in place; the adapters are of no use then.

        Raises:
            FoldingError: It cannot be.
        """
        self.refuse_disabled()
        adapter = self.get()
        adapter.wrapper.fold()
        self.leave()
        config = self.place.untuned(adapter.config)
        if config is not None:
            remember_config(self.model, config)

    def leave(self) -> None:
        """Take the last adapter out of the model; nothing of it is left there."""
        self.place.take_off()
        set_fingerprint(self.model, None)
        if self.original_config is not None:
            remember_config(self.model, self.original_config)

    def switch(self, name: str) -> None:
        """Let another adapter act."""
        self.get(name)
        self.refuse_disabled()
        if name != self.active:
            self._put_off()
            self._put_on(name)

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """Without adapters inside the block: the backbone as it was pre-trained, and the model's own head."""
        name = self.active
        if name is None or self.is_disabled:
            yield
            return
        self._put_off()
        self.is_disabled = True
        try:
            yield
        finally:
            self.is_disabled = False
            self._put_on(name)

    def delete(self, name: str) -> None:
        """Forget an adapter that does not act.

        Raises:
            AdapterError: It acts, or there is no such adapter.
        """
        self.get(name)
        if name == self.active:
            raise AdapterError(f'adapter {name!r} acts; set another one before it is deleted.')
        del self.known[name]

    def _settle_base(self, backbone: Any, *, is_tuned: bool) -> None:
        """Let the weights that the model holds be the base, unless it knows which of them are pre-trained."""
        if not backbone.pretrained_names:
            fresh = backbone.prefix_parameters() if is_tuned and not backbone.prefix_is_pretrained else ()
            backbone.pretrained_names = [name for name in backbone.state_dict() if name not in fresh]
            if backbone.checkpoint:
                print_log(
                    f"the model has not loaded '{backbone.checkpoint}' itself, so adapters are made for the weights "
                    'that it holds now; call model.init_weights() first if these are random.',
                    logger='current',
                    level=30,
                )
        for module in (self.model, *(m for m in self.model.modules() if m is self.place.wrapper)):
            if hasattr(module, 'is_init'):
                module.is_init = True

    def _fresh_values(self) -> dict[str, Tensor]:
        """A copy of the parameters of the backbone that are not pre-trained."""
        base = set(self.place.backbone.pretrained_names)
        parameters = self.place.backbone.named_parameters()
        return {name: value.detach().clone() for name, value in parameters if name not in base}

    def _put_off(self) -> None:
        """Leave the model as it is without adapters, but for the wrapper, which acts no more."""
        if self.active is None:
            return
        adapter, backbone = self.known[self.active], self._backbone
        refuse_folded(adapter.wrapper)
        adapter.modules = {path: _get(self.model, path) for path in adapter.modules}
        adapter.wrapper.detach()
        exchange_values(backbone, adapter.fresh)
        self._set_modules(self.original)
        self.active = None

    def _put_on(self, name: str) -> None:
        """Let an adapter act where none does."""
        adapter, backbone = self.known[name], self._backbone
        self._follow(adapter)
        exchange_values(backbone, adapter.fresh)
        self.place.freeze()
        for tuned in adapter.wrapper.tuned_names:
            backbone.get_parameter(tuned).requires_grad_(True)
        adapter.wrapper.attach()
        self.place.put(adapter.wrapper)
        self._set_modules(adapter.modules)
        if adapter.config is not None:
            remember_config(self.model, adapter.config)
        names = self.place.names_of_base(adapter.wrapper)
        set_fingerprint(self.model, self.base.renamed(names))
        self.active = name

    def _follow(self, adapter: Adapter) -> None:
        """Bring what an adapter has of its own to where the backbone is, as it was not in the model meanwhile."""
        backbone = self.place.backbone
        stored = self.storage.names if self.storage else ()
        like = next(value for name, value in backbone.named_parameters() if name not in stored)
        adapter.wrapper.methods.to(like.device, like.dtype)  # type: ignore[attr-defined]
        adapter.wrapper.train(self.model.training)
        adapter.fresh = {key: value.to(like) for key, value in adapter.fresh.items()}
        for name in adapter.wrapper.tuned_names:
            copy = adapter.wrapper.get_buffer(copy_name(name))
            copy.data = copy.data.to(backbone.get_parameter(name))

    def _set_modules(self, modules: Mapping[str, nn.Module | None]) -> None:
        """Put modules in place, on the device and in the precision of those that are there."""
        for path, module in modules.items():
            before = _get(self.model, path)
            like = None if before is None else next(before.parameters(), None)
            if module is not None and module is not before:
                module.train(self.model.training)
                if like is not None:
                    module.to(like.device, like.dtype)
            owner, _, name = path.rpartition('.')
            setattr(self.model.get_submodule(owner), name, module)

    def refuse_disabled(self) -> None:
        """Refuse what would change adapters inside of :meth:`disabled`.

        Raises:
            AdapterError: They are switched off.
        """
        if self.is_disabled:
            raise AdapterError('the adapters are switched off by disable_adapter; leave its block first.')


def _get(model: nn.Module, path: str) -> nn.Module | None:
    owner, _, name = path.rpartition('.')
    found: nn.Module | None = getattr(model.get_submodule(owner), name)
    return found
