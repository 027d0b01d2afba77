"""Which config a module was built from."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any
from weakref import WeakKeyDictionary

from mmengine.registry import Registry, build_model_from_cfg
from torch import nn

_configs: WeakKeyDictionary[nn.Module, Mapping[str, Any]] = WeakKeyDictionary()


def build_and_remember(cfg: Any, registry: Registry, default_args: Any = None) -> Any:
    """Build a module as MMEngine does, and remember its config; the registry of models builds so."""
    module = build_model_from_cfg(cfg, registry, default_args)
    if isinstance(cfg, Mapping):
        remember_config(module, cfg)
    return module


def remember_config(module: nn.Module, cfg: Mapping[str, Any]) -> None:
    """Note the config of a module that was built elsewhere, as MMEngine's runner builds a model."""
    _configs[module] = deepcopy(cfg)


def config_of(module: nn.Module) -> Mapping[str, Any] | None:
    """The config of a module; None where nobody has noted it."""
    return _configs.get(module)


def class_of(registry: Registry, kind: Any) -> Any:
    """The class that the ``type`` of a config stands for: by its name, None if there is none; or it is one itself."""
    return registry.get(kind) if isinstance(kind, str) else kind
