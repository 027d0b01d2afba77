"""What is known about a checkpoint's file before anything in it is read."""

from __future__ import annotations

import mmap
import os
import stat
import zipfile
from pathlib import Path

from ..errors import CheckpointError, CorruptCheckpointError, MissingFileError
from ..shipped import find_weights

MAX_HEADER = 32 * 2**20
"""Bytes of a safetensors header; that of a network with ten thousand tensors has about one million."""

MAX_GROWTH = 4
SMALL = 64 * 2**20
"""A compressed archive may declare this many times its own size, plus this many bytes; tensors hardly shrink."""

ZIP_START = b'PK\x03\x04'

ALLOCATORS = (b'cbuiltins\nbytearray\n', b'c__builtin__\nbytearray\n')
"""Pickle instructions that torch allows and that fill as much memory as they name; no checkpoint needs them."""


def existing_file(path: str | Path) -> Path:
    """Path of a file that exists, is a plain file and is not empty.

    Raises:
        MissingFileError: There is none.
        CheckpointError: It is a directory, a pipe or a device.
        CorruptCheckpointError: It is empty.
    """
    path = find_weights(path)
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # not there, no access, a name that is too long or has a zero byte
        reason = '' if isinstance(error, FileNotFoundError) else f' ({_reason(error)})'
        raise MissingFileError(
            f'checkpoint {_shown(path)} does not exist{reason}; check the path.'
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise CheckpointError(f'checkpoint {path} is a directory; give a file, such as one that is in it.')
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(
            f'checkpoint {path} is a pipe, a socket or a device; give the path of a plain file.'
        )
    if status.st_size == 0:
        raise CorruptCheckpointError(f'checkpoint {path} is empty; delete it and use another one.')
    return path


def check_pickle_file(path: Path) -> None:
    """Refuse a file of ``torch.save`` that would take far more memory than it has bytes.

    Raises:
        CorruptCheckpointError: It is a damaged archive, or one that declares absurd sizes.
    """
    with open(path, 'rb') as file:
        is_archive = file.read(len(ZIP_START)) == ZIP_START
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            allocates = any(content.find(instruction) >= 0 for instruction in ALLOCATORS)
    if allocates:
        raise CorruptCheckpointError(
            f'checkpoint {path} asks for a block of memory that no checkpoint needs; use another file.'
        )
    if is_archive:
        _check_archive(path)


def check_safetensors_file(path: Path) -> None:
    """Refuse a safetensors file whose header is longer than the file, or than any network needs.

    Raises:
        CorruptCheckpointError: It is.
    """
    with open(path, 'rb') as file:
        declared = int.from_bytes(file.read(8), 'little')
    if declared > min(path.stat().st_size - 8, MAX_HEADER):
        raise CorruptCheckpointError(
            f'checkpoint {path} is truncated or not a safetensors file (it declares a header of {declared} bytes); '
            'delete it and use another one.'
        )


def _check_archive(path: Path) -> None:
    """Compare the declared sizes in an archive with the size of the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except Exception as error:  # a damaged directory can fail anywhere in zipfile
        raise CorruptCheckpointError(
            f'checkpoint {path} is truncated or not a checkpoint ({_reason(error)}); delete it and use another one.'
        ) from error
    size = path.stat().st_size
    is_packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    allowed = MAX_GROWTH * size + SMALL if is_packed else size
    declared = sum(entry.file_size for entry in entries)
    if declared > allowed:
        raise CorruptCheckpointError(
            f'checkpoint {path} has {size} bytes but declares {declared}; delete it and use another one.'
        )


def _reason(error: Exception) -> str:
    """An error in a few words."""
    text = getattr(error, 'strerror', None) or str(error)
    return (text.splitlines() or [''])[0].rstrip('.') or type(error).__name__


def _shown(path: Path) -> str:
    """A path for a message, cut if it is endless."""
    text = str(path)
    return text if len(text) <= 200 else f'{text[:100]} ... ({len(text)} characters)'
