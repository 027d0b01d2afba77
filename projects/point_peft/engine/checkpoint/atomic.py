"""Files that are either complete or not there."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.fileio import LocalBackend, register_backend
from safetensors.torch import save as serialize_safetensors
from torch import Tensor

_PARTIAL = re.compile(r'\..+\.(\d+)\.partial')
"""Name of an unfinished file: hidden, with the id of the process that writes it."""


class AtomicLocalBackend(LocalBackend):
    """MMEngine's local storage without half-written files: ``backend_args=dict(backend='atomic_local')``."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes; see :func:`write_atomically`."""
        write_atomically(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text; see :func:`write_atomically`."""
        write_atomically(filepath, obj.encode(encoding))


register_backend('atomic_local', AtomicLocalBackend, force=True)


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that whoever looks sees the old content or the new, also after a kill or a power cut.

    The content goes to a hidden file beside it, is flushed to the disk and takes the name in one step.

    Args:
        path (str | Path): File to write; its directory is created if needed, and a link is followed.
        content (bytes): New content.

    Raises:
        OSError: The disk is full, read-only ...; the old file is untouched and nothing is left beside it.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f'.{path.name}.{os.getpid()}.partial'
    try:
        with open(partial, 'wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:  # an interrupt must not leave litter either
        partial.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def save_checkpoint(path: str | Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and plain facts atomically, as :func:`load_checkpoint_file` reads them.

    Args:
        path (str | Path): File to write; ``.safetensors``, with every value of ``meta`` as JSON in the
            metadata, or anything else for ``torch.save``.
        tensors (Mapping[str, Tensor]): Tensors by name, of any device and memory layout.
        meta (Mapping[str, Any]): Plain data.
    """
    # Clones, because safetensors refuses tensors that share memory.
    own = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    if Path(path).suffix == '.safetensors':
        content = serialize_safetensors(own, {key: json.dumps(value) for key, value in meta.items()})
    else:
        buffer = io.BytesIO()
        torch.save(dict(state_dict=own, meta=dict(meta)), buffer)
        content = buffer.getvalue()
    write_atomically(path, content)


def remove_partial_files(directory: str | Path) -> list[str]:
    """Remove what killed runs left unfinished in a directory.

    Returns:
        list[str]: Names of the removed files. Those of processes that still run are left alone.
    """
    removed = []
    for path in Path(directory).glob('.*.partial'):
        match = _PARTIAL.fullmatch(path.name)
        if match and not _is_running(int(match.group(1))):
            path.unlink(missing_ok=True)
            removed.append(path.name)
    return removed


def _is_running(process: int) -> bool:
    """Whether another process with this id runs here."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync_directory(directory: Path) -> None:
    """Flush a directory, so that a new name survives a power cut; only POSIX systems can."""
    if os.name != 'posix':
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
