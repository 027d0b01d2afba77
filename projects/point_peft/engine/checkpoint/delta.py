"""Adapter checkpoints: what training changed, and the hash of the base weights it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from ...io.errors import BaseWeightsMismatchError
from ...io.weights.structure_rules import OWN_KEY
from ...registry.network import network_of
from ...registry.wrappers import outermost_with, unwrap
from .fingerprint import BaseFingerprint, base_fingerprint

META_KEY = OWN_KEY
"""Key of what the project notes in a checkpoint's ``meta``."""

BYTES_PER_MB = 1024**2


class CheckpointSizes(NamedTuple):
    """Sizes of a model's parts in MB (2**20 bytes), as tensors without optimizer state.

    Attributes:
        adapter (float): What training changed.
        bank (float): The memory bank.
        full (float): The complete model, bank included.
    """

    adapter: float
    bank: float
    full: float


def delta_state(state_dict: Mapping[str, Tensor], fingerprint: BaseFingerprint) -> dict[str, Tensor]:
    """Entries that are not in the base, or whose bytes differ from it."""
    return {name: value for name, value in state_dict.items() if not fingerprint.is_unchanged(name, value)}


def adapter_state(model: nn.Module, state_dict: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """What an adapter file of the model holds: :func:`delta_state` without the memory bank.

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
        dict: ``format``, ``base_hash`` (None without pre-trained weights), ``bank_hash`` (None without a bank);
            ``network``, what the model computes, if it was built from a config (see :func:`describe_network`); and
            ``bank``, where the bank in a full file came from, if it was built here.
    """
    noted: dict[str, Any] = dict(
        format=kind, base_hash=base_fingerprint(model).hash, bank_hash=bank_hash(model)
    )
    further = dict(network=network_of(model), bank=bank_provenance(model) if kind == 'full' else None)
    return {**noted, **{name: value for name, value in further.items() if value is not None}}


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
    own = meta.get(META_KEY) or {}
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
        f'file with both (tools/model_converters/join_adapter.py){hint}.'
    )


def checkpoint_sizes(model: nn.Module) -> CheckpointSizes:
    """Sizes of the adapter, the memory bank and the complete model."""
    state = unwrap(model).state_dict()
    external = external_keys(model)
    bank = {name: value for name, value in state.items() if name in external}
    return CheckpointSizes(_megabytes(adapter_state(model, state)), _megabytes(bank), _megabytes(state))


def external_keys(model: nn.Module) -> set[str]:
    """Names in ``state_dict()`` of what is kept in a file of its own, as ``external_state_keys()`` says."""
    return {
        prefix + name
        for prefix, module in outermost_with(unwrap(model), 'external_state_keys')
        for name in module.external_state_keys()
    }


def bank_hash(model: nn.Module) -> str | None:
    """Hash of the memory bank, as ``bank_hash()`` says; None without a filled bank."""
    hashes = (module.bank_hash() for _, module in outermost_with(unwrap(model), 'bank_hash'))
    return next((found for found in hashes if found), None)


def bank_provenance(model: nn.Module) -> dict[str, Any] | None:
    """Where the memory bank came from, as whoever filled it left in its ``provenance``."""
    found = (getattr(module, 'provenance', None) for module in unwrap(model).modules())
    return next((noted for noted in found if isinstance(noted, dict)), None)


def _megabytes(state: Mapping[str, Tensor]) -> float:
    """Size of tensors in MB."""
    return sum(value.numel() * value.element_size() for value in state.values()) / BYTES_PER_MB
