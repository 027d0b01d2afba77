"""Methods with a state that is fitted on the training set before training, such as a memory bank."""

from __future__ import annotations

import hashlib
import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from ..io.errors import InvalidValueError
from ..structures import PointTokens
from .base import TuningMethod

Describe = Callable[[Any, Callable[[PointTokens], PointTokens]], Tensor]
"""``describe(dataset, tokens)``: descriptors (N, C) of all clouds of a dataset, in its order and without augmentation,
by the pre-trained backbone; ``tokens`` picks which tokens of some clouds are described. Processes share the work."""

HASHED_AT_ONCE = 2**20
"""Values of a state that are brought to the CPU and to float32 at a time, to be hashed."""


class FittedMethod(TuningMethod):
    """Base of tuning methods with a state that is fitted on the training set before training, and not trained.

    The state is in buffers, which are empty until it is fitted and have any number of rows then. It is not in adapters
    but in a file of its own beside them, which says what it was fitted on; complete checkpoints have it. The engine
    fits, saves and finds it, and refuses one of another training set. A method must compute something without it too,
    since a model may be looked at, or counted, before it is trained.
    """

    fitted_name: str
    """What the state is called in messages, such as ``memory bank``; its file is called so too."""

    fitted_key: str
    """What checkpoints call it: an adapter says which one it was trained with in ``KEY_hash``."""

    fitted_advice: str = 'let a training build it'
    """How one comes by it, as the end of a sentence."""

    needs_exact_weights = 'its state is fitted on, and read by, what the backbone gives in float32'

    min_clouds: int = 1
    """The fewest clouds that it can be fitted on; known after ``setup``."""

    described_layers: int | None = None
    """Blocks after which it wants clouds described; None means all. Known after ``setup``."""

    usual_settings: Mapping[str, int | str] = MappingProxyType({})
    """Settings that ``fit_settings`` leaves out where they have this value, as older files do."""

    def __init__(self) -> None:
        super().__init__()
        self.fitted_on: dict[str, Any] | None = None  # its provenance; whoever fits or loads it says so
        self.warned_empty = False

    @abstractmethod
    def fit(self, describe: Describe, dataset: Any) -> None:
        """Fit the state on the training set, replacing what was there; every process does so.

        Args:
            describe (Callable): Gives descriptors of a dataset's clouds, see :data:`Describe`.
            dataset (Dataset): The training set, its clouds once each unless they are fewer than ``min_clouds``.
        """

    @abstractmethod
    def external_state(self) -> dict[str, Tensor]:
        """The state's buffers by their names in ``state_dict()``, without values until it is fitted.

        In its file each goes by the last part of its name.
        """

    def fit_settings(self) -> dict[str, int | str]:
        """What its content depends on besides clouds and pre-trained weights; noted in its file, and compared."""
        return {}

    def load_external_state(self, state: Mapping[str, Tensor], num_clouds: int) -> None:
        """Take a state that was fitted before.

        Args:
            state (Mapping): As :meth:`external_state` gave it.
            num_clouds (int): Clouds that it was fitted on.

        Raises:
            InvalidValueError: It cannot be used, and what was there is still there.
        """
        for name, own in self.external_state().items():
            given = state[name]
            if not (_may_replace(given, own) and given.numel() and bool(torch.isfinite(given).all())):
                raise InvalidValueError(
                    f'{name} of shape {tuple(given.shape)} is empty, not finite, or does not fit this backbone.'
                )
        for name, own in self.external_state().items():
            self._set_buffer(name, state[name].to(own))

    def share_state(self, other: FittedMethod) -> bool:
        """Use the very tensors of another method if they are the same as one's own, so that they are there once."""
        own, given = self.external_state(), other.external_state()
        same = type(self) is type(other) and self.is_fitted and self.content_hash() == other.content_hash()
        if not same or any((own[k].dtype, own[k].device) != (given[k].dtype, given[k].device) for k in own):
            return False
        for name, value in given.items():
            self._set_buffer(name, value)
        return True

    def check_ready(self) -> None:
        """Refuse to train with the state as it is.

        Raises:
            InvalidValueError: Says what to do.
        """
        if not self.is_fitted:
            raise InvalidValueError(
                f"the {self.fitted_name} is empty; set default_hooks.fit to dict(type='FitHook')."
            )

    @property
    def is_fitted(self) -> bool:
        """Whether there is a state."""
        return all(value.numel() for value in self.external_state().values())

    @property
    def unfitted_note(self) -> str:
        """What it means that there is no state, as a clause."""
        return f'the {self.fitted_name} is empty'

    def warn_unfitted(self) -> None:
        """Say, once, that there is no state."""
        if not self.warned_empty:
            until = 'until training builds one or a checkpoint brings one'
            print_log(f'{self.unfitted_note} {until}.', logger='current', level=logging.WARNING)
            self.warned_empty = True

    def content_hash(self) -> str:
        """Hex digest of the state; empty for an empty one."""
        return hash_state(self.external_state())

    def _set_buffer(self, name: str, value: Tensor) -> None:
        """Replace a buffer by its name in ``state_dict()``."""
        owner, _, buffer = name.rpartition('.')
        setattr(self.get_submodule(owner), buffer, value)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Take any number of rows, since a state may have as many as its training set."""
        for name, own in self.external_state().items():
            given = state_dict.get(f'{prefix}{name}')
            if given is not None and _may_replace(given, own):
                self._set_buffer(name, own.new_empty(given.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)


def fitted_methods(model: nn.Module) -> dict[str, FittedMethod]:
    """The methods in a model that have a fitted state, by their names in it.

    Raises:
        InvalidValueError: Two would have the same file.
    """
    found = {name: module for name, module in model.named_modules() if isinstance(module, FittedMethod)}
    for names in zip(*((method.fitted_name, method.fitted_key) for method in found.values())):
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InvalidValueError(
                f'several methods of the model have a {twice}, and their files would have the same name; leave all '
                'but one out.'
            )
    return found


def hash_state(state: Mapping[str, Tensor]) -> str:
    """Hex digest of the values of a state, whatever its device and precision; empty for an empty one."""
    if not state or not all(value.numel() for value in state.values()):
        return ''
    digest = hashlib.blake2b(digest_size=16)
    for _, value in sorted(state.items()):
        for part in value.detach().reshape(-1).split(HASHED_AT_ONCE):  # a bank is large: never a second one
            part = part.float() if part.is_floating_point() else part
            digest.update(part.cpu().numpy().data)
    return digest.hexdigest()


def _may_replace(given: Tensor, own: Tensor) -> bool:
    """Whether a tensor fits a buffer but for its number of rows."""
    return given.dim() == own.dim() and given.shape[1:] == own.shape[1:]
