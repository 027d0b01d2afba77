"""Whether the tensors of a checkpoint are those of a model."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn

from ...io.errors import BaseWeightsMismatchError, CheckpointError, UnmatchedCheckpointError
from ...io.shipped import call_of
from ...io.text import shorten
from ...io.weights.structure_rules import OWN_KEY
from .fingerprint import base_fingerprint

TRAINING_ONLY = ('auxiliary_head.',)
"""Where tensors stand that nothing but training reads."""

COUNTERS = 'num_batches_tracked'
"""Tensors that old files of others lack, and that change nothing."""


def own_tensors(state_dict: Mapping[str, Any], meta: Mapping[str, Any], source: str) -> dict[str, Tensor]:
    """The tensors of a checkpoint, without the prefix ``module.``.

    Raises:
        CheckpointError: A file of this project has something else among them; files of others may.
    """
    odd = next((name for name, value in state_dict.items() if not isinstance(value, Tensor)), None)
    if odd is not None and OWN_KEY in meta:
        raise CheckpointError(
            f'{source} has a {type(state_dict[odd]).__name__} as {odd}, which should be a tensor; use another file.'
        )
    return {
        name.removeprefix('module.'): value for name, value in state_dict.items() if isinstance(value, Tensor)
    }


def check_shapes(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], source: str, *, resizable: set[str], hint: str
) -> None:
    """Refuse a checkpoint that has nothing in common with a model, or tensors of another shape or kind.

    Args:
        state (Mapping): Tensors of the checkpoint.
        own (Mapping): Those of the model.
        source (str): Name of the checkpoint.
        resizable (set[str]): Names of tensors that may have any number of rows.
        hint (str): What is known about the reason, as the end of the sentence.

    Raises:
        UnmatchedCheckpointError: With the tensor's name and both shapes.
    """
    common = [name for name in state if name in own]
    if not common:
        raise UnmatchedCheckpointError(
            f'none of the {len(state)} tensors of {source} is in the model (the file has '
            f'{shorten(state)}; the model has {shorten(own)}); use the config it was trained '
            f'with, or convert it with {call_of("model_converters/convert_official.py")}.'
        )
    for name in common:
        given, wanted = state[name], own[name]
        if given.shape != wanted.shape and not _may_differ(given, wanted, name in resizable):
            raise UnmatchedCheckpointError(
                f'{name} has shape {tuple(given.shape)} in {source} but {tuple(wanted.shape)} in '
                'the model; use the config it was trained with (number of classes, dimension, number of '
                f'tokens ...){hint}.'
            )
        if wanted.is_floating_point() != given.is_floating_point():
            raise UnmatchedCheckpointError(
                f'{name} is {given.dtype} in {source} but {wanted.dtype} in the model; use another file.'
            )


def check_complete(
    missing: Iterable[str],
    unexpected: Iterable[str],
    meta: Mapping[str, Any],
    source: str,
    *,
    is_start: bool,
    allow: bool,
) -> None:
    """Refuse a checkpoint that fills a model only in part.

    What this project's training saved has neither too few nor too many tensors. Files of others (converted ones too)
    may have more; fewer are enough for them to start a training from.

    Args:
        missing (Iterable[str]): Tensors that would keep their initial values.
        unexpected (Iterable[str]): Tensors of the file that the model does not have.
        meta (Mapping): ``meta`` of the checkpoint.
        source (str): Its name.
        is_start (bool): Whether a training starts from it.
        allow (bool): Only warn.

    Raises:
        UnmatchedCheckpointError: Names some of them.
    """
    is_own = 'format' in (meta.get(OWN_KEY) or {}) and 'kind' not in meta[OWN_KEY]
    lacking = [name for name in missing if not name.startswith(TRAINING_ONLY) and not name.endswith(COUNTERS)]
    extra = [name for name in unexpected if not name.startswith(TRAINING_ONLY)]
    problem = ''
    if lacking and (is_own or not is_start):
        problem = f'{source} lacks {shorten(lacking)}, which would stay at random values'
    elif extra and is_own:
        problem = (
            f'{source} has {shorten(extra)}, which the model has not, so it would be loaded only in part'
        )
    if problem and not allow:
        raise UnmatchedCheckpointError(
            f'{problem}; use the config it was trained with, or, if you mean it, set '
            'default_hooks.delta.allow_other_network=True.'
        )
    if problem:
        print_log(f'loading all the same: {problem}', logger='current', level=logging.WARNING)


def check_untouched(model: nn.Module, filled: Mapping[str, Tensor], source: str) -> None:
    """Refuse to complete an adapter with tensors that are no longer the base weights.

    Raises:
        BaseWeightsMismatchError: Names the tensor.
    """
    fingerprint = base_fingerprint(model)
    for name, value in filled.items():
        if not fingerprint.is_unchanged(name, value):
            raise BaseWeightsMismatchError(
                f'{source} leaves {name} to the base weights, but the model no longer holds them, since it '
                'was trained or loaded before; build the model anew before loading.'
            )


def _may_differ(given: Tensor, wanted: Tensor, has_any_rows: bool) -> bool:
    """Whether another shape is right: of what is fitted before training, and of what is empty in the model."""
    if has_any_rows:
        return given.dim() == wanted.dim() and given.shape[1:] == wanted.shape[1:]
    return not wanted.numel()
