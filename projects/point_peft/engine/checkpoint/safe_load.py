"""Reading checkpoints without running anything in them."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import sys
import urllib.error
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.dist import barrier, is_main_process
from mmengine.runner import CheckpointLoader
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.torch_version import TorchVersion

from ..errors import CheckpointError, CorruptCheckpointError, MissingFileError, UnsafeCheckpointError

MapLocation = Any
"""What ``torch.load`` takes as ``map_location``: a device, its name, a callable or None."""

NUMPY_SCALARS = ('numpy.core.multiarray.scalar', 'numpy._core.multiarray.scalar')
"""Name of the function that makes a NumPy number, before and since NumPy 2."""

_FORBIDDEN_NAME = re.compile(r'(?:GLOBAL|[Uu]nsupported class)\s+([\w.]+)')
"""Where torch's restricted unpickler says what it refused."""


def load_checkpoint_file(path: str | Path, map_location: MapLocation = 'cpu') -> dict[str, Any]:
    """Read a checkpoint; the one place where the project opens one.

    Args:
        path (str | Path): A ``.safetensors`` file, or a file of ``torch.save`` that holds plain tensors and
            numbers.
        map_location: Device to put the tensors on, as for ``torch.load``.

    Returns:
        dict: The saved dict; for safetensors ``dict(state_dict=tensors, meta=metadata)`` with every metadata
            value
        decoded from JSON where it is JSON.

    Raises:
        MissingFileError: The file does not exist.
        UnsafeCheckpointError: The file is a pickle that asks for anything but tensors and plain types. It is
            never opened any other way.
        CorruptCheckpointError: The file is empty, truncated or not a checkpoint.
        CheckpointError: The file holds something else than a dict.
    """
    path = _existing(path)
    if path.suffix == '.safetensors':
        return _load_safetensors(path, map_location)
    loaded = _load_restricted(path, map_location)
    if not isinstance(loaded, dict):
        raise CheckpointError(
            f'{path} holds a {type(loaded).__name__}, but a checkpoint is a dict of tensors; '
            'give the file that training or the converter wrote.'
        )
    return loaded


def load_tensor_file(path: str | Path, map_location: MapLocation = 'cpu') -> Tensor:
    """Read a file that holds a single tensor, such as a published memory bank.

    Args:
        path (str | Path): A file of ``torch.save(tensor)``, or a safetensors file with one tensor.
        map_location: Device to put the tensor on.

    Raises:
        CheckpointError: The file holds no tensor or several; else as :func:`load_checkpoint_file`.
    """
    path = _existing(path)
    if path.suffix == '.safetensors':
        loaded = list(_load_safetensors(path, map_location)['state_dict'].values())
        loaded = loaded[0] if len(loaded) == 1 else loaded
    else:
        loaded = _load_restricted(path, map_location)
    if not isinstance(loaded, Tensor):
        raise CheckpointError(
            f'{path} should hold one tensor but holds a {type(loaded).__name__}; name another file.'
        )
    return loaded


def use_safe_loading() -> None:
    """Make MMEngine read every checkpoint through :func:`load_checkpoint_file`.

    MMEngine's own loaders call ``torch.load`` with its defaults, which execute pickles before torch 2.6 and,
    for files from the internet, after it too. This replaces the loaders of local paths and of http(s); the
    other schemes (``torchvision://``, ``s3://`` ...) are refused, since nothing in the project needs them.
    Importing ``point_peft.engine`` calls it; calling it again does no harm.
    """
    for scheme in list(CheckpointLoader._schemes):
        CheckpointLoader.register_scheme(scheme, loader=load_from_nowhere, force=True)
    CheckpointLoader.register_scheme('', loader=load_from_local, force=True)
    CheckpointLoader.register_scheme(['http://', 'https://'], loader=load_from_http, force=True)


def load_from_local(filename: str, map_location: MapLocation = None) -> dict[str, Any]:
    """MMEngine's loader of local files, made safe; see :func:`load_checkpoint_file`."""
    return load_checkpoint_file(filename, map_location)


def load_from_http(filename: str, map_location: MapLocation = None) -> dict[str, Any]:
    """MMEngine's loader of http(s) addresses, made safe; downloads once, on the main process.

    Raises:
        CheckpointError: The address cannot be reached; else as :func:`load_checkpoint_file`.
    """
    folder = (
        Path(torch.hub.get_dir())
        / 'checkpoints'
        / hashlib.blake2b(filename.encode(), digest_size=4).hexdigest()
    )
    target = folder / Path(urlparse(filename).path).name
    if is_main_process() and not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(filename, str(target), progress=sys.stderr.isatty())
        except (urllib.error.URLError, OSError) as error:
            raise CheckpointError(
                f'{filename} cannot be downloaded ({error}); download it elsewhere and give the '
                'path of the file.'
            ) from error
    barrier()
    return load_checkpoint_file(target, map_location)


def load_from_nowhere(filename: str, map_location: MapLocation = None) -> dict[str, Any]:
    """Refuse a scheme of MMEngine that would be read unsafely.

    Raises:
        CheckpointError: Always.
    """
    raise CheckpointError(
        f'{filename} uses a scheme that is not supported; give a local path or an http(s) address.'
    )


def _existing(path: str | Path) -> Path:
    """Path of a file that exists and is not empty."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise MissingFileError(f'checkpoint {path} does not exist; check the path.')
    if path.stat().st_size == 0:
        raise CorruptCheckpointError(f'checkpoint {path} is empty; delete it and use another one.')
    return path


def _load_restricted(path: Path, map_location: MapLocation) -> Any:
    """``torch.load`` of tensors and plain types only, with its errors turned into sentences."""
    try:
        with _numpy_numbers_allowed():
            return torch.load(path, map_location=map_location, weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can fail anywhere in zip, pickle and utf-8 decoding
        if _is_refusal(error):
            raise UnsafeCheckpointError(
                f'checkpoint {path} was not loaded: it is not made of plain tensors only '
                f'({_refused(error)}), and reading that could run code; get a safetensors version of it, or '
                'convert it where you trust its source.'
            ) from None
        raise CorruptCheckpointError(
            f'checkpoint {path} is truncated or not a checkpoint ({type(error).__name__}: '
            f'{_first_line(error)}); delete it and use another one.'
        ) from error


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


def _first_line(error: Exception) -> str:
    """The first line of an error's message."""
    return next(iter(str(error).splitlines()), '').rstrip('.') or 'nothing could be read'


def _load_safetensors(path: Path, map_location: MapLocation) -> dict[str, Any]:
    """Read tensors and metadata of a safetensors file."""
    try:
        with safe_open(path, framework='pt', device='cpu') as file:
            meta = {key: _decode(value) for key, value in (file.metadata() or {}).items()}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CorruptCheckpointError(
            f'checkpoint {path} is truncated or not a safetensors file ({_first_line(error)}); '
            'delete it and use another one.'
        ) from error
    if isinstance(map_location, (str, torch.device)):
        state = {key: value.to(map_location) for key, value in state.items()}
    return dict(state_dict=state, meta=meta)


def _decode(value: str) -> Any:
    """A metadata value from JSON, or the text itself where it is not JSON."""
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
