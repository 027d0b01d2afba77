"""The file of a fitted state."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from ...io.errors import CheckpointError, CorruptCheckpointError
from ...io.weights import load_checkpoint_file, save_checkpoint
from ...methods import FittedMethod
from ...methods.fitted import hash_state
from .provenance import ADVICE, Provenance, check_provenance, read_provenance


class DamagedStateError(CorruptCheckpointError, ValueError):
    """A fitted state has values that cannot be used."""


class FittedFile(NamedTuple):
    """Content of a file that fits a method and is as it was saved.

    Attributes:
        what (str): What it is called, with its file.
        state (dict): Tensors by their names in the method's ``state_dict()``.
        provenance (dict): What the state was fitted on.
        hash (str): Hex digest of the tensors.
    """

    what: str
    state: dict[str, Tensor]
    provenance: Provenance
    hash: str


def save_fitted(path: str | Path, method: FittedMethod) -> None:
    """Write the state of a method as safetensors, atomically, with what it was fitted on in the metadata."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    state = {_short(name): value.cpu() for name, value in method.external_state().items()}
    save_checkpoint(path, state, {'provenance': method.fitted_on, 'hash': method.content_hash()})


def read_fitted(path: str | Path, method: FittedMethod, expected: Provenance) -> FittedFile:
    """Read the file of a state, if it was fitted for this; fields that are not in ``expected`` are not compared.

    Raises:
        FittedStateMismatchError: If it belongs to another backbone, dataset or split, to other clouds or settings.
        CheckpointError: If the file is none of this method, or damaged.
    """
    what = f'{method.fitted_name} {path}'
    content = load_checkpoint_file(path)
    meta: dict[str, Any] = content.get('meta') or {}
    given, tensors = meta.get('provenance'), content.get('state_dict') or {}
    names = {name: _short(name) for name in method.external_state()}
    if given is None or not set(names.values()) <= set(tensors):
        raise CheckpointError(
            f'{path} is not a {method.fitted_name} of this project; {method.fitted_advice}, or name another file.'
        )
    provenance = read_provenance(given, method, what)
    check_provenance(provenance, expected, what, method.usual_settings)
    state = {name: tensors[short] for name, short in names.items()}
    found = hash_state(state)
    if meta.get('hash') != found:
        raise CorruptCheckpointError(
            f'{what} is damaged: its rows are not those that were saved, as their hash shows; {ADVICE}.'
        )
    return FittedFile(what, state, provenance, found)


def load_fitted(path: str | Path, method: FittedMethod, expected: Provenance) -> Provenance:
    """As :func:`read_fitted`, into the method."""
    found = read_fitted(path, method, expected)
    take_fitted(method, found)
    return found.provenance


def take_fitted(method: FittedMethod, file: FittedFile) -> None:
    """Give a method the state of a file.

    Raises:
        DamagedStateError: It has values that the method cannot use.
    """
    try:
        method.load_external_state(file.state, int(file.provenance['num_samples']))
    except ValueError as error:
        raise DamagedStateError(f'{file.what}: {str(error).rstrip(".")}; {ADVICE}.') from error
    method.fitted_on = file.provenance


def _short(name: str) -> str:
    """Name in a file of a tensor of a method."""
    return name.rpartition('.')[2]
