"""Hashes of the pre-trained weights: which base an adapter belongs to, and what training changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from ...io.weights import hash_tensor
from ...methods.frozen_storage import ATTRIBUTE
from ...registry.wrappers import outermost_with, unwrap

_DIGEST_BYTES = 16

_taken: WeakKeyDictionary[nn.Module, BaseFingerprint] = WeakKeyDictionary()


@dataclass(frozen=True)
class BaseFingerprint:
    """Hashes of the tensors that a model took from its pre-trained file.

    Attributes:
        tensors (Mapping[str, str]): Hex hash of each tensor, by its name in ``model.state_dict()``.
        rounded (Mapping[str, str]): Likewise of what the model holds in the place of those that it stores rounded.
    """

    tensors: Mapping[str, str]
    rounded: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, base_state: Mapping[str, Tensor], exact: Mapping[str, str] | None = None) -> BaseFingerprint:
        """Hash the given tensors.

        Args:
            base_state (Mapping[str, Tensor]): Tensors by name.
            exact (Mapping[str, str] | None): Hashes of those that the rounded ones among them were before.
        """
        held = {name: hash_tensor(value) for name, value in base_state.items()}
        exact = {name: value for name, value in (exact or {}).items() if name in held}
        return cls({**held, **exact}, {name: held[name] for name in exact})

    @property
    def hash(self) -> str | None:
        """Hex hash of all names and tensors together; None where there is no base."""
        if not self.tensors:
            return None
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        for name in sorted(self.tensors):
            digest.update(f'{name}={self.tensors[name]};'.encode())
        return digest.hexdigest()

    def is_unchanged(self, name: str, value: Tensor) -> bool:
        """Whether ``value`` is, bit for bit, the base tensor ``name``, or that as the model stores it."""
        return hash_tensor(value) in (self.tensors.get(name), self.rounded.get(name))

    def renamed(self, names: Mapping[str, str]) -> BaseFingerprint:
        """The fingerprint of the same tensors in another module.

        Args:
            names (Mapping[str, str]): Names in this fingerprint by those in the new one.
        """
        rounded = {name: self.rounded[old] for name, old in names.items() if old in self.rounded}
        return BaseFingerprint({name: self.tensors[old] for name, old in names.items()}, rounded)


def base_fingerprint(model: nn.Module) -> BaseFingerprint:
    """Fingerprint of a model's base weights, taken once.

    The first call must come after ``init_weights`` and before the weights change (training, or loading a
    checkpoint); every later call returns what that one found. A model, or what it holds of ours, says which tensors are
    its base by ``base_state() -> dict[str, Tensor]``; one that does not has no base.

    Args:
        model (nn.Module): The model, wrapped for several processes or not.
    """
    model = unwrap(model)
    if model not in _taken:
        state = {
            prefix + name: value
            for prefix, module in outermost_with(model, 'base_state')
            for name, value in module.base_state().items()
        }
        exact = {
            prefix + name: value
            for prefix, backbone in outermost_with(model, ATTRIBUTE)
            for name, value in getattr(backbone, ATTRIBUTE).exact.items()
        }
        _taken[model] = BaseFingerprint.of(state, exact)
    return _taken[model]


def set_fingerprint(model: nn.Module, fingerprint: BaseFingerprint | None) -> None:
    """Say what the base weights of a model are from now on, since another adapter acts on them.

    Args:
        model (nn.Module): The model.
        fingerprint (BaseFingerprint | None): Their hashes by the names that they have in its ``state_dict()`` now;
            None to have it taken anew.
    """
    _taken.pop(unwrap(model), None)
    if fingerprint is not None:
        _taken[unwrap(model)] = fingerprint


def init_pretrained(model: nn.Module) -> None:
    """Load what is pre-trained in a model, and nothing else.

    MMEngine's own ``init_weights`` walks through all modules of a model that is not ours, and logs every parameter.
    """
    for _, owner in outermost_with(model, 'base_state'):
        owner.init_weights()
