"""What lets hooks act again when activation checkpointing runs a part of the network again in the backward.

A hook that runs again must find its method as it was: what ``begin`` prepared for that forward, not for a later one.
So every hook notes the method's attributes when it runs (references; only lists, sets and dictionaries are copied), and
the output of the forward knows these notes: when the backward comes to it, it says whose turn it is. The notes live as
long as the graph does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, ref

from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import CheckpointWrapper

from ..backbones.layers import is_recomputation
from ..structures import BackboneFeatures

if TYPE_CHECKING:
    from .base import TuningMethod

Attributes = dict[str, Any]

NOT_OWN = frozenset(vars(nn.Module())) | {'_handles', 'forward_pass', 'recomputed_pass', 'is_silent'}
"""Attributes of a method that are not part of its state in a forward."""

CONTAINERS = (list, dict, set)


class ForwardPass:
    """The attributes that methods had whenever one of their hooks ran in one forward."""

    def __init__(self) -> None:
        self._noted: dict[Callable[..., Any], list[Attributes]] = {}

    def note(self, place: Callable[..., Any], attributes: Attributes) -> None:
        """Remember attributes for a hook."""
        self._noted.setdefault(place, []).append(attributes)

    def at(self, place: Callable[..., Any]) -> Attributes | None:
        """Attributes at a hook; None if it did not run in this forward.

        Raises:
            ValueError: If it ran several times, so that nothing says which of them is meant.
        """
        noted = self._noted.get(place, [])
        if len(noted) > 1:
            raise ValueError(
                'a module that a tuning method acts on runs several times in one forward and is recomputed in the '
                'backward, which is not supported; leave it out of activation_checkpointing.'
            )
        return noted[0] if noted else None

    def resume_in_backward(self, features: BackboneFeatures, methods: Iterable[TuningMethod]) -> None:
        """Let the methods know, once the backward comes to these outputs, that this forward is recomputed."""
        resume = partial(_resume, self, list(methods))
        outputs = (features.patches, features.prefix, features.raw_prefix, *features.hidden.values())
        for output in outputs:
            if output is not None and output.requires_grad:
                output.register_hook(resume)


def is_recomputed(module: nn.Module) -> bool:
    """Whether activation checkpointing is on for a module: MMEngine's, or that of torch's wrapper."""
    return 'forward' in vars(module) or isinstance(module, CheckpointWrapper)


def attributes_when_recomputing(
    recomputed: ReferenceType[ForwardPass] | None, place: Callable[..., Any]
) -> Attributes | None:
    """Attributes that a hook shall find if it runs again in the backward; None if it does not."""
    if recomputed is None or not is_recomputation():
        return None
    forward_pass = recomputed()
    return None if forward_pass is None else forward_pass.at(place)


def own_attributes(method: TuningMethod) -> Attributes:
    """What a method keeps in attributes, without parameters, buffers and sub-modules; containers are copied."""
    return {
        name: copy(value) if isinstance(value, CONTAINERS) else value
        for name, value in vars(method).items()
        if name not in NOT_OWN
    }


@contextmanager
def with_attributes(method: TuningMethod, attributes: Attributes) -> Iterator[None]:
    """Give a method other attributes inside the block."""
    now = own_attributes(method)
    _replace(method, attributes)
    try:
        yield
    finally:
        _replace(method, now)


def _replace(method: TuningMethod, attributes: Attributes) -> None:
    for name in own_attributes(method).keys() - attributes.keys():
        del vars(method)[name]
    vars(method).update(attributes)


def _resume(forward_pass: ForwardPass, methods: Iterable[TuningMethod], gradient: Tensor) -> None:
    """Called by the backward with the gradient of an output, which stays as it is."""
    for method in methods:
        method.recomputed_pass = ref(forward_pass)
