"""Reading checkpoints without running anything in them."""

from __future__ import annotations

import json
import pickle
import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor
from torch.torch_version import TorchVersion

from ..errors import CheckpointError, CorruptCheckpointError, UnsafeCheckpointError
from .bounds import check_bounds
from .content_hash import HASHES_KEY, check_hashes
from .file_checks import check_pickle_file, check_safetensors_file, existing_file
from .structure import check_structure

MapLocation = Any
"""What ``torch.load`` takes as ``map_location``: a device, its name, a callable or None."""

NUMPY_SCALARS = ('numpy.core.multiarray.scalar', 'numpy._core.multiarray.scalar')
"""Name of the function that makes a NumPy number, before and since NumPy 2."""

_FORBIDDEN_NAME = re.compile(r'(?:GLOBAL|[Uu]nsupported class)\s+([\w.]+)')
"""Where torch's restricted unpickler says what it refused."""


def load_checkpoint_file(path: str | Path, map_location: MapLocation = 'cpu') -> dict[str, Any]:
    """Read a checkpoint; the one place where the project opens one.

    Whatever is returned has been compared with the hashes in the file, if it has any, and is built as its readers
    expect.

    Args:
        path (str | Path): A ``.safetensors`` file, or a file of ``torch.save`` that holds plain tensors and
            numbers; or the address of one, which is fetched (:mod:`~point_peft.io.addresses`).
        map_location: Device to put the tensors on, as for ``torch.load``.

    Returns:
        dict: The saved dict; for safetensors ``dict(state_dict=tensors, meta=metadata)`` with every metadata
        value decoded from JSON where it is JSON.

    Raises:
        MissingFileError: The file does not exist.
        UnsafeCheckpointError: The file is a pickle that asks for anything but tensors and plain types. It is
            never opened any other way.
        CorruptCheckpointError: The file is empty, truncated, not a checkpoint, or not what was saved.
        CheckpointError: The file holds something else than a dict, or the wrong types in it.
    """
    path = existing_file(path)
    if path.suffix == '.safetensors':
        loaded = _load_safetensors(path)
    else:
        loaded = _load_restricted(path, map_location)
        check_bounds(loaded, path)
    if not isinstance(loaded, dict):
        raise CheckpointError(
            f'{path} holds a {type(loaded).__name__}, but a checkpoint is a dict of tensors; '
            'give the file that training or the converter wrote.'
        )
    check_hashes(loaded, path)
    loaded.pop(HASHES_KEY, None)
    if path.suffix == '.safetensors':
        loaded['meta'] = {key: _decode(value) for key, value in loaded['meta'].items()}
        check_bounds(loaded['meta'], path)
        if isinstance(map_location, (str, torch.device)):
            loaded['state_dict'] = {
                key: value.to(map_location) for key, value in loaded['state_dict'].items()
            }
    check_structure(loaded, path)
    return loaded


def load_tensor_file(path: str | Path, map_location: MapLocation = 'cpu') -> Tensor:
    """Read a file that holds a single tensor, such as one published beside a checkpoint.

    Args:
        path (str | Path): A file of ``torch.save(tensor)``, or a safetensors file with one tensor.
        map_location: Device to put the tensor on.

    Raises:
        CheckpointError: The file holds no tensor or several; else as :func:`load_checkpoint_file`.
    """
    path = existing_file(path)
    if path.suffix == '.safetensors':
        loaded = list(load_checkpoint_file(path, map_location)['state_dict'].values())
        loaded = loaded[0] if len(loaded) == 1 else loaded
    else:
        loaded = _load_restricted(path, map_location)
        check_bounds(loaded, path)
    if not isinstance(loaded, Tensor):
        raise CheckpointError(
            f'{path} should hold one tensor but holds a {type(loaded).__name__}; name another file.'
        )
    return loaded


def _load_restricted(path: Path, map_location: MapLocation) -> Any:
    """``torch.load`` of tensors and plain types only, with its errors turned into sentences."""
    try:
        check_pickle_file(path)
        with _numpy_numbers_allowed():
            return torch.load(path, map_location=map_location, weights_only=True)
    except CheckpointError:
        raise
    except OSError as error:
        raise _unreadable(path, error) from error
    except Exception as error:  # a damaged file can fail anywhere in zip, pickle and utf-8 decoding
        if _is_refusal(error):
            raise UnsafeCheckpointError(
                f'checkpoint {path} was not loaded: it is not made of plain tensors only '
                f'({_refused(error)}), and reading that could run code; get a safetensors version of it, or '
                'convert it where you trust its source.'
            ) from None
        raise _damaged(path, error, 'a checkpoint') from error


def _numpy_numbers_allowed() -> AbstractContextManager:
    """Let single NumPy numbers pass, as which some published files keep accuracies: a type and a few bytes.

    PyTorch before 2.6 has no such list; there these files are refused.
    """
    if TorchVersion(torch.__version__) < '2.6':
        return nullcontext()
    scalar = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(name)) for name in ('float64', 'float32', 'int64', 'int32', 'bool')]
    return torch.serialization.safe_globals([*((scalar, name) for name in NUMPY_SCALARS), np.dtype, *kinds])


def _is_refusal(error: Exception) -> bool:
    """Whether torch refused the content, rather than failed to read it."""
    text = str(error)
    return (
        'TorchScript' in text
        or isinstance(error, pickle.UnpicklingError)
        and 'Weights only load failed' in text
    )


def _refused(error: Exception) -> str:
    """What torch refused, in a few words."""
    match = _FORBIDDEN_NAME.search(str(error))
    if match:
        return f'it asks for {match.group(1)}'
    return (
        'it is a TorchScript program' if 'TorchScript' in str(error) else 'it uses other pickle instructions'
    )


def _load_safetensors(path: Path) -> dict[str, Any]:
    """Read the tensors of a safetensors file, its metadata as the texts that they are, and the hashes among them."""
    try:
        check_safetensors_file(path)
        with safe_open(path, framework='pt', device='cpu') as file:
            meta = dict(file.metadata() or {})
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except CheckpointError:
        raise
    except OSError as error:
        raise _unreadable(path, error) from error
    except Exception as error:  # of the library, or of torch for types and shapes that it does not know
        raise _damaged(path, error, 'a safetensors file') from error
    hashes = meta.pop(HASHES_KEY, None)
    content: dict[str, Any] = dict(state_dict=state, meta=meta)
    return content if hashes is None else {**content, HASHES_KEY: _decode(hashes)}


def _decode(value: str) -> Any:
    """A metadata value from JSON, or the text itself where it is not JSON."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):  # no JSON, a number of thousands of digits, or endless brackets
        return value


def _unreadable(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(f'checkpoint {path} cannot be read ({error.strerror or error}); check its rights.')


def _damaged(path: Path, error: Exception, kind: str) -> CorruptCheckpointError:
    """The sentence for a file that cannot be taken apart."""
    reason = next(iter(str(error).splitlines()), '').rstrip('.')[:200] or 'nothing could be read'
    return CorruptCheckpointError(
        f'checkpoint {path} is truncated or not {kind} ({type(error).__name__}: {reason}); delete it and use '
        'another one.'
    )
