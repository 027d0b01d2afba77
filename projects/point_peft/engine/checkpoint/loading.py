"""Loading full checkpoints and adapters into a model, with a report."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...io.errors import BaseWeightsMismatchError
from ...io.text import shorten
from ...io.weights import OWN_KEY
from ...io.weights.finite import check_finite
from ...io.weights.plain_state import from_plain
from ...io.weights.safe_load import load_checkpoint_file
from ...registry.network import (
    check_network,
    describe_difference,
    first_difference,
    network_of,
    saved_network,
)
from ...registry.wrappers import unwrap
from .delta import check_base
from .fingerprint import base_fingerprint, init_pretrained
from .fitted import check_other_states, external_keys
from .matching import check_complete, check_shapes, check_untouched, own_tensors


@dataclass(frozen=True)
class LoadReport:
    """What a checkpoint gave to a model.

    Attributes:
        source (str): Name of the checkpoint.
        kind (str): ``delta`` for an adapter, else ``full``.
        loaded (tuple[str, ...]): Tensors taken from the checkpoint.
        base (tuple[str, ...]): Tensors kept from the base weights, or fitted before training.
        missing (tuple[str, ...]): Tensors of the model that neither gives; they keep their initial values.
        unexpected (tuple[str, ...]): Tensors of the checkpoint that the model does not have.
        meta (Mapping): ``meta`` of the checkpoint.
    """

    source: str
    kind: str
    loaded: tuple[str, ...]
    base: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    meta: Mapping[str, Any]

    def __str__(self) -> str:
        """One line."""
        return (
            f'{self.kind} checkpoint {self.source}: {len(self.loaded)} tensors loaded, {len(self.base)} kept '
            f'from the base weights and what was fitted, missing: {shorten(self.missing)}, '
            f'unexpected: {shorten(self.unexpected)}'
        )


def load_weights(
    model: nn.Module,
    checkpoint: str | Path | Mapping[str, Any],
    *,
    allow_other_base: bool = False,
    allow_other_network: bool = False,
    allow_other_state: bool = False,
) -> LoadReport:
    """Load a full checkpoint or an adapter into a model that is to be used, not trained on.

    An adapter needs the base weights, so ``model.init_weights()`` is called first if nobody has; a full
    checkpoint does not, and loads without the pre-trained file.

    Args:
        model (nn.Module): Model to fill.
        checkpoint: A file (see :func:`load_checkpoint_file`) or its content.
        allow_other_base (bool): Only warn when the adapter was trained on other base weights.
        allow_other_network (bool): Only warn when it was saved by a network that computes something else, or does not
            fill the model.
        allow_other_state (bool): Only warn when it was trained with another fitted state than the model holds.

    Raises:
        BaseWeightsMismatchError: The adapter belongs to other base weights.
        UnmatchedCheckpointError: No tensor matches, one has another shape, or one is missing.
        OtherNetworkError: The tensors fit, but the config says something else than that of the training.
        NonFiniteWeightsError: A tensor has a NaN.
        FittedStateMismatchError: It was trained with another fitted state.
        CheckpointError: The file cannot be read.
    """
    if isinstance(checkpoint, Mapping):
        source, content = 'given in memory', checkpoint
    else:
        source, content = str(checkpoint), load_checkpoint_file(checkpoint)
    meta = from_plain(content.get('meta') or {})
    state, report = complete_state(
        model,
        content.get('state_dict', content),
        meta,
        source=source,
        allow_other_base=allow_other_base,
        allow_other_network=allow_other_network,
    )
    unwrap(model).load_state_dict(state, strict=False)
    log_report(report)
    check_other_states(model, meta, source, allow=allow_other_state)
    return report


def complete_state(
    model: nn.Module,
    state_dict: Mapping[str, Any],
    meta: Mapping[str, Any],
    *,
    source: str,
    is_start: bool = False,
    allow_other_base: bool = False,
    allow_other_network: bool = False,
) -> tuple[dict[str, Tensor], LoadReport]:
    """Check a checkpoint against a model and add to an adapter what it leaves to the base weights.

    Args:
        model (nn.Module): Model that is to be filled; for an adapter its base weights are loaded if they were
            not.
        state_dict (Mapping): Tensors of the checkpoint; a prefix ``module.`` is dropped.
        meta (Mapping): Its ``meta``.
        source (str): Its name.
        is_start (bool): Whether a training starts from it, so that a file of others may leave tensors out.
        allow_other_base (bool): Only warn when the adapter was trained on other base weights.
        allow_other_network (bool): Only warn when another network saved it, or it does not fill the model.

    Returns:
        tuple: The state dict to load, and the report.

    Raises:
        BaseWeightsMismatchError, UnmatchedCheckpointError, OtherNetworkError, NonFiniteWeightsError: See
            :func:`load_weights`.
    """
    model = unwrap(model)
    kind = (meta.get(OWN_KEY) or {}).get('format', 'full')
    if kind == 'delta':
        _need_base(model, meta, source, allow_other_base)
    state = own_tensors(state_dict, meta, source)
    own = model.state_dict()
    external = external_keys(model)
    check_shapes(state, own, source, resizable=external, hint=_network_hint(model, meta))
    check_network(model, meta, source, allow_other=allow_other_network)
    kept = external | (set(base_fingerprint(model).tensors) if kind == 'delta' else set())
    filled = {name: own[name] for name in own if name in kept and name not in state}
    if kind == 'delta':
        check_untouched(
            model, {name: value for name, value in filled.items() if name not in external}, source
        )
    complete = {**state, **filled}
    report = LoadReport(
        source,
        kind,
        loaded=tuple(name for name in state if name in own),
        base=tuple(filled),
        missing=tuple(name for name in own if name not in complete),
        unexpected=tuple(name for name in state if name not in own),
        meta=meta,
    )
    check_complete(
        report.missing, report.unexpected, meta, source, is_start=is_start, allow=allow_other_network
    )
    check_finite(state, source, own)
    return complete, report


def log_report(report: LoadReport) -> None:
    """Log what was loaded in one line, as a warning if something is missing."""
    complete = not report.missing and not report.unexpected
    print_log(str(report), logger='current', level=logging.INFO if complete else logging.WARNING)


def full_state(model: nn.Module) -> dict[str, Tensor]:
    """The complete state of a model, base weights and what was fitted included, copied to the CPU."""
    return {name: value.detach().cpu().clone() for name, value in unwrap(model).state_dict().items()}


def _need_base(model: nn.Module, meta: Mapping[str, Any], source: str, allow_other_base: bool) -> None:
    """Load the base weights if nobody has, and compare their hash."""
    if isinstance(model, BaseModule) and not model.is_init:
        init_pretrained(model)
    try:
        check_base(base_fingerprint(model), meta, source, _network_hint(model, meta))
    except BaseWeightsMismatchError as error:
        if not allow_other_base:
            raise
        print_log(f'loading all the same: {error}', logger='current', level=logging.WARNING)


def _network_hint(model: nn.Module, meta: Mapping[str, Any]) -> str:
    """What the configs say about tensors that do not fit, as the end of a sentence."""
    saved, wanted = saved_network(meta), network_of(model)
    found = first_difference(saved, wanted) if saved and wanted else None
    return f'; {describe_difference(found, "the file")}' if found else ''
