"""Adapter checkpoints: what training changed, and the hash of the base weights it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from ...io.errors import BaseWeightsMismatchError
from ...io.shipped import call_of
from ...io.weights.structure_rules import OWN_KEY
from ...registry.network import network_of
from ...registry.wrappers import unwrap
from .fingerprint import BaseFingerprint, base_fingerprint
from .fitted import describe_states, external_keys

BYTES_PER_MB = 1024**2


class CheckpointSizes(NamedTuple):
    """Sizes of a model's parts in MB (2**20 bytes), as tensors without optimizer state.

    Attributes:
        adapter (float): What training changed.
        fitted (float): What was fitted before training, and is kept in files of its own.
        full (float): The complete model, what was fitted included.
    """

    adapter: float
    fitted: float
    full: float


def delta_state(state_dict: Mapping[str, Tensor], fingerprint: BaseFingerprint) -> dict[str, Tensor]:
    """Entries that are not in the base, or whose bytes differ from it."""
    return {name: value for name, value in state_dict.items() if not fingerprint.is_unchanged(name, value)}


def adapter_state(model: nn.Module, state_dict: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """What an adapter file of the model holds: :func:`delta_state` without what was fitted before training.

    Args:
        model (nn.Module): The model; its fingerprint must have been taken (see :func:`base_fingerprint`).
        state_dict (Mapping[str, Tensor] | None): Its state, if it is at hand already.
    """
    state = unwrap(model).state_dict() if state_dict is None else state_dict
    external = external_keys(model)
    return delta_state(
        {name: value for name, value in state.items() if name not in external}, base_fingerprint(model)
    )


def describe_checkpoint(model: nn.Module, kind: str) -> dict[str, Any]:
    """What goes to ``meta['point_peft']``.

    Args:
        model (nn.Module): The model that is saved.
        kind (str): ``delta`` or ``full``.

    Returns:
        dict: ``format``, ``base_hash`` (None without pre-trained weights); ``network``, what the model computes, if it
            was built from a config (see :func:`describe_network`); and what :func:`describe_states` says, with origins
            in a full file.
    """
    network = network_of(model)
    return dict(
        format=kind,
        base_hash=base_fingerprint(model).hash,
        **describe_states(model, with_origin=kind == 'full'),
        **({} if network is None else dict(network=network)),
    )


def check_base(
    fingerprint: BaseFingerprint, meta: Mapping[str, Any], source: str = 'the checkpoint', hint: str = ''
) -> None:
    """Refuse an adapter on other base weights than those it was trained on.

    Args:
        fingerprint (BaseFingerprint): Of the model that is to take the adapter.
        meta (Mapping): ``meta`` of the checkpoint; files that are not adapters pass.
        source (str): Name of the checkpoint for the message.
        hint (str): End of the message.

    Raises:
        BaseWeightsMismatchError: With both hashes and what to do.
    """
    own = meta.get(OWN_KEY) or {}
    wanted = own.get('base_hash')
    if own.get('format') != 'delta' or wanted is None or wanted == fingerprint.hash:
        return
    found = (
        f'has base weights {fingerprint.hash}'
        if fingerprint.hash
        else 'was built without pre-trained weights'
    )
    raise BaseWeightsMismatchError(
        f'{source} is an adapter for base weights {wanted}, but the model {found}; set the pre-trained '
        "checkpoint of the backbone's init_cfg to the one the adapter was trained on, or use a "
        f'file with both ({call_of("model_converters/join_adapter.py")}){hint}.'
    )


def checkpoint_sizes(model: nn.Module) -> CheckpointSizes:
    """Sizes of the adapter, of what was fitted and of the complete model."""
    state = unwrap(model).state_dict()
    external = external_keys(model)
    fitted = {name: value for name, value in state.items() if name in external}
    return CheckpointSizes(_megabytes(adapter_state(model, state)), _megabytes(fitted), _megabytes(state))


def _megabytes(state: Mapping[str, Tensor]) -> float:
    """Size of tensors in MB."""
    return sum(value.numel() * value.element_size() for value in state.values()) / BYTES_PER_MB
