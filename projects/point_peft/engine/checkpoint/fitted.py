"""Fitted states in checkpoints: left out of adapters, which say the hash of those that they were trained with."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.logging import print_log
from torch import nn

from ...io.errors import FittedStateMismatchError
from ...io.weights.structure_rules import HASH_SUFFIX, OWN_KEY
from ...methods import FittedMethod, fitted_methods
from ...registry.wrappers import unwrap


def external_keys(model: nn.Module) -> set[str]:
    """Names in ``state_dict()`` of what is fitted before training, and kept in files of its own."""
    methods = fitted_methods(unwrap(model))
    return {f'{name}.{key}' for name, method in methods.items() for key in method.external_state()}


def describe_states(model: nn.Module, *, with_origin: bool) -> dict[str, Any]:
    """What checkpoints say of the fitted states: ``KEY_hash`` of each (None for an empty one).

    Args:
        model (nn.Module): The model that is saved.
        with_origin (bool): Whether ``KEY``, what each was fitted on, goes beside it where that is known.
    """
    noted: dict[str, Any] = {}
    for method in fitted_methods(unwrap(model)).values():
        noted[_hash_key(method)] = method.content_hash() or None
        if with_origin and method.fitted_on is not None:
            noted[method.fitted_key] = method.fitted_on
    return noted


def noted_hash(method: FittedMethod, meta: Mapping[str, Any]) -> str | None:
    """Hash of the state of a method that a checkpoint was trained with, by its ``meta``; None if it had none."""
    return (meta.get(OWN_KEY) or {}).get(_hash_key(method)) or None


def check_other_states(
    model: nn.Module, meta: Mapping[str, Any], source: str, *, allow: bool = False
) -> None:
    """As :func:`check_other_state`, for the states that a model holds."""
    for method in fitted_methods(unwrap(model)).values():
        check_other_state(method, method.content_hash(), meta, source, allow=allow)


def check_other_state(
    method: FittedMethod, found: str, meta: Mapping[str, Any], source: str, *, allow: bool = False
) -> None:
    """Refuse another state of a method than the one that a checkpoint was trained with; an empty one passes.

    Args:
        method (FittedMethod): The method.
        found (str): Hash of the state that it has or is to get.
        meta (Mapping): ``meta`` of the checkpoint.
        source (str): Its name.
        allow (bool): Only warn.

    Raises:
        FittedStateMismatchError: With both hashes and what to do.
    """
    wanted = noted_hash(method, meta)
    if not wanted or not found or wanted == found:
        return
    key = method.fitted_key
    problem = f'{source} was trained with {method.fitted_name} {wanted}, but the model holds {key} {found}'
    if not allow:
        raise FittedStateMismatchError(
            f'{problem}, so its accuracy would differ; use the {key} file of that training, or, if you mean it, set '
            'default_hooks.fit.allow_other=True.'
        )
    print_log(f'loading all the same: {problem}.', logger='current', level=logging.WARNING)


def _hash_key(method: FittedMethod) -> str:
    return method.fitted_key + HASH_SUFFIX
