"""The file of a memory bank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...io.errors import CheckpointError, CorruptCheckpointError, MemoryBankMismatchError
from ...io.weights import load_checkpoint_file, save_checkpoint
from ...methods import MemoryBank
from ..checkpoint import META_KEY, check_other_bank
from .provenance import ADVICE, BankProvenance, check_bank, check_provenance, expected_provenance, find_prompt


class DamagedBankError(CorruptCheckpointError, ValueError):
    """A memory bank has rows that cannot be used."""


def save_bank(path: str | Path, bank: MemoryBank, provenance: BankProvenance) -> None:
    """Write the bank as safetensors, atomically, with its provenance in the metadata."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(
        path, {'keys': bank.keys.cpu()}, {'provenance': asdict(provenance), 'hash': bank.content_hash()}
    )


def load_bank(path: str | Path, bank: MemoryBank, expected: BankProvenance) -> BankProvenance:
    """Read a bank file into ``bank``, if it was made for this.

    Fields that are unknown in ``expected`` (empty or 0) are not compared.

    Raises:
        MemoryBankMismatchError: If it belongs to another backbone, dimension, dataset or split, or to other clouds.
        CheckpointError: If the file is no memory bank, or damaged.
    """
    content = load_checkpoint_file(path)
    meta: dict[str, Any] = content.get('meta') or {}
    given = meta.get('provenance')
    keys = (content.get('state_dict') or {}).get('keys')
    if given is None or keys is None:
        raise CheckpointError(
            f'{path} is not a memory bank of this project; build one with tools/build_memory_bank.py, '
            'or convert a published one with tools/model_converters/convert_official.py.'
        )
    found = BankProvenance.read(given, path)
    _check_rows(keys, found, path)
    check_provenance(found, expected, given, path)
    filled = MemoryBank(bank.dim).to(bank.keys.device)
    try:
        filled.fill(keys)
    except ValueError as error:
        raise DamagedBankError(f'memory bank {path}: {error}') from error
    filled.keys = keys.to(bank.keys)  # normalising again would move the last bits, and with them the hash
    if meta.get('hash') != filled.content_hash():
        raise CorruptCheckpointError(
            f'memory bank {path} is damaged: its rows are not those that were saved, as their hash shows; {ADVICE}.'
        )
    bank.keys = filled.keys
    bank.provenance = asdict(found)  # goes into full checkpoints
    return found


def attach_bank(
    model: nn.Module,
    candidates: Sequence[str | Path],
    meta: Mapping[str, Any],
    source: str,
    *,
    allow_other: bool = False,
) -> Path | None:
    """Load the first of some bank files that fits, for evaluation.

    Args:
        model (nn.Module): Task model.
        candidates (Sequence[str | Path]): Files to try, best first.
        meta (Mapping): ``meta`` of the adapter, which has the hash of the bank that it was trained with.
        source (str): Name of the adapter.
        allow_other (bool): Take the first file that exists, with a warning if it is another bank.

    Returns:
        Path | None: The file, or None if the model needs none.

    Raises:
        CheckpointError: If an adapter that was trained with a bank finds none.
        MemoryBankMismatchError: Or only others, made from something else or of another hash.
    """
    found = find_prompt(model)
    if found is None:
        return None
    if len(found[1].bank):
        check_other_bank(model, meta, source, allow=allow_other)
        return None
    problem: MemoryBankMismatchError | None = None
    for path in filter(Path.is_file, map(Path, candidates)):
        try:
            load_bank(path, found[1].bank, expected_provenance(model))
            check_other_bank(model, meta, source, allow=allow_other)
        except MemoryBankMismatchError as error:
            problem = problem or error
            found[1].bank.keys = found[1].bank.keys[:0]
            continue
        check_bank(model)
        return path
    if problem is not None:
        raise problem
    if wanted := (meta.get(META_KEY) or {}).get('bank_hash'):
        raise CheckpointError(
            f'the adapter was trained with memory bank {wanted}, which is in none of '
            f'{[str(c) for c in candidates]}; put its file there, or build it with tools/build_memory_bank.py.'
        )
    return None


def _check_rows(keys: Tensor, found: BankProvenance, path: str | Path) -> None:
    """Compare the rows with what the file says of them."""
    wanted = (found.num_samples, found.dim)
    if tuple(keys.shape) != wanted or keys.dtype != torch.float32 or not found.num_samples:
        raise CorruptCheckpointError(
            f'memory bank {path} has rows of shape {tuple(keys.shape)} and type {keys.dtype}, but was made from '
            f'{found.num_samples} clouds with {found.dim} features of float32; {ADVICE}.'
        )
