"""Where adapters act in a model of this project: its backbone, and what else of it is theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from ..backbones import PointBackbone
from ..engine.config.references import bind, merge
from ..methods import PEFTBackbone
from ..methods.substitution import copy_name
from ..models.base import TunedModel
from ..models.owner import BackboneOwner, build_for
from ..registry.built_from import config_of, remember_config
from ..structures import BackboneFeatures
from .errors import AdapterError

NOT_TRAINED = 'data_preprocessor'
"""The part of a model that no adapter has one of its own of."""

HEAD = 'head'


class TunedEncoder(BackboneOwner, BaseModule):
    """A backbone alone, so that adapters have a place to be exchanged in.

    Args:
        backbone (PointBackbone | PEFTBackbone): The backbone.
    """

    def __init__(self, backbone: PointBackbone | PEFTBackbone) -> None:
        super().__init__()
        self.backbone: Any = backbone
        config = config_of(backbone.backbone if isinstance(backbone, PEFTBackbone) else backbone)
        if config is not None:
            remember_config(self, dict(type=type(self).__name__, backbone=config))

    def forward(self, points: Tensor, **options: Any) -> BackboneFeatures:
        """Embed and encode clouds (B, N, 3); arguments as of :class:`~..backbones.PointBackbone`."""
        return self.backbone(points, **options)


class ModelPlace:
    """A model that owns a backbone of this project, itself or in one of its modules (a detector in its encoder).

    An adapter has the wrapper around the backbone, and modules of its own in the place of all others: head, neck.

    Args:
        model (nn.Module): The model.
        path (str): Where in it the owner of the backbone is; empty for the model itself.
    """

    def __init__(self, model: nn.Module, path: str) -> None:
        self.model, self.path = model, path
        backbone = self.owner.backbone
        self.backbone: PointBackbone = backbone.backbone if isinstance(backbone, PEFTBackbone) else backbone

    @property
    def owner(self) -> Any:
        """The module that has the backbone."""
        return self.model.get_submodule(self.path)

    @property
    def wrapper(self) -> PEFTBackbone | None:
        """The wrapper that is in place; None while the backbone is plain."""
        backbone = self.owner.backbone
        return backbone if isinstance(backbone, PEFTBackbone) else None

    @property
    def types(self) -> dict[str, str]:
        """Names of the types of backbone and model, as parts of configs go by them."""
        return dict(backbone=type(self.backbone).__name__, model=type(self.owner).__name__)

    @property
    def head_path(self) -> str:
        """Where the head is, if there is one."""
        return f'{self.path}.{HEAD}' if self.path else HEAD

    @property
    def prefix(self) -> str:
        """What stands before the names of the wrapper's tensors in the model's state."""
        return f'{self.path}.backbone.' if self.path else 'backbone.'

    def build(self, methods: Sequence[dict[str, Any]]) -> PEFTBackbone:
        """A wrapper around the backbone, on which nothing acts."""
        wrapper = PEFTBackbone(self.backbone, deepcopy(list(methods)))
        wrapper.is_init = True
        return wrapper

    def put(self, wrapper: PEFTBackbone) -> None:
        """Put a wrapper in place."""
        self.owner.backbone = wrapper

    def take_off(self) -> None:
        """Leave the plain backbone in place."""
        self.owner.backbone = self.backbone

    def freeze(self) -> None:
        """Let nothing of the backbone be trained."""
        self.backbone.requires_grad_(False)

    def names_of_base(self, wrapper: PEFTBackbone) -> dict[str, str]:
        """The backbone's names of pre-trained tensors by those in the model's state, copies of tuned ones too."""
        base = self.backbone.pretrained_names
        names = {f'{self.prefix}backbone.{name}': name for name in base}
        return names | {
            f'{self.prefix}{copy_name(name)}': name for name in wrapper.tuned_names if name in base
        }

    def own_modules(self) -> dict[str, nn.Module | None]:
        """What of the model belongs to the adapter that acts, beside the wrapper, by path."""
        found: dict[str, nn.Module | None] = {}
        done: list[str] = []
        for step in [*filter(None, self.path.split('.')), 'backbone']:
            above = self.model.get_submodule('.'.join(done))
            found |= {
                '.'.join([*done, name]): module
                for name, module in above._modules.items()
                if name not in (step, NOT_TRAINED)
            }
            done.append(step)
        return found

    def new_modules(
        self, wrapper: PEFTBackbone, originals: Mapping[str, nn.Module | None], head: Mapping[str, Any]
    ) -> dict[str, nn.Module | None]:
        """Copies of modules for a new adapter; a head is built anew if it is to be another one.

        Args:
            wrapper (PEFTBackbone): The adapter's.
            originals (Mapping): The modules.
            head (Mapping): What is changed in the config of the head.

        Raises:
            AdapterError: A new head is needed, but nothing says what it is, or the model has none.
        """
        found = {name: None if module is None else copied(module) for name, module in originals.items()}
        old = originals.get(self.head_path)
        if old is None:
            if head:
                raise AdapterError(
                    f'{type(self.owner).__name__} has no head, so nothing of it can be changed; leave that out.'
                )
            return found
        known = config_of(old)
        config = changed_head(known or {}, head)
        if config != known or wrapper.num_kept_tokens:
            if 'type' not in config:
                raise AdapterError(
                    "the adapter needs a head of its own, but nothing says how the model's was built; give a whole "
                    'config, head=dict(type=...).'
                )
            found[self.head_path] = build_for(wrapper, config)
        return found

    def config(
        self, original: Mapping[str, Any] | None, peft: Sequence[dict[str, Any]], modules: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Config of the model with an adapter; None where nobody knows that of the model."""
        if original is None:
            original = self._original_config(modules)
        if original is None:
            return None
        config = deepcopy(dict(original))
        section = self._section(config)
        section['peft'] = dict(type='PEFTBackbone', methods=deepcopy(list(peft)))
        head = modules.get(self.head_path)
        if head is not None:
            section[HEAD] = deepcopy(config_of(head))
        return config

    def parts_of(self, network: Mapping[str, Any]) -> tuple[Any, Any]:
        """Methods, and the head or None, of the description of a model; None without methods."""
        section = self._section(network)
        if not isinstance(section, Mapping) or not isinstance(section.get('peft'), Mapping):
            return None, None
        return section['peft'].get('methods'), section.get(HEAD)

    def untuned(self, config: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Config of the model without adapters, with the head that it has."""
        plain = None if config is None else deepcopy(dict(config))
        if plain is not None:
            self._section(plain).pop('peft', None)
        return plain

    def _section(self, config: Any) -> Any:
        """What a config of the model says of the owner of the backbone; None if nothing."""
        for step in filter(None, self.path.split('.')):
            config = config.get(step) if isinstance(config, Mapping) else None
        return config

    def _original_config(self, modules: Mapping[str, Any]) -> dict[str, Any] | None:
        """Config of a task model that was built in Python, from those of its parts."""
        parts = {'backbone': self.backbone, **modules}
        configs = {name: config_of(part) for name, part in parts.items() if part is not None}
        if not isinstance(self.model, TunedModel) or None in configs.values():
            return None
        return dict(type=type(self.model).__name__, **configs)


def find_place(model: nn.Module) -> ModelPlace | None:
    """Where a model has its backbone; None if it has none of this project."""
    for path, module in model.named_modules():
        if isinstance(module, BackboneOwner) and isinstance(module.backbone, (PointBackbone, PEFTBackbone)):
            return ModelPlace(model, path)
    return None


def copied(module: nn.Module) -> nn.Module:
    """A copy that was built from the same config."""
    copy = deepcopy(module)
    config = config_of(module)
    if config is not None:
        remember_config(copy, config)
    return copy


def changed_head(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Config of a head with changes, which may refer to what is in it, as parts of configs do."""
    head = {key: value for key, value in config.items() if key != 'backbone'}
    merged: dict[str, Any] = bind({**head, HEAD: merge(head, changes, HEAD)})[HEAD]
    return merged
