"""Hashes over what a checkpoint holds, so that a file that has decayed on its disk is noticed."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CorruptCheckpointError

HASHES_KEY = 'content_hashes'
"""Key of the hashes, beside ``state_dict`` and ``meta``; in safetensors one of the metadata."""

_DIGEST_BYTES = 16


def section_hashes(checkpoint: Mapping[str, Any]) -> dict[str, str]:
    """Hash every section of a checkpoint: ``state_dict``, ``meta``, ``optimizer`` ...

    By section, so that one may be taken out of a file (the optimizer's state, to publish it) without making the others
    suspicious. BLAKE2b takes about a second for each GB: nothing for an adapter, 0.3 s for 22 million parameters and
    their optimizer state.

    Args:
        checkpoint (Mapping): Tensors and plain data, as they are going to be written.
    """
    return {str(name): _hash(section).hex() for name, section in checkpoint.items() if name != HASHES_KEY}


def check_hashes(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Compare a checkpoint with the hashes in it; files without any pass.

    Raises:
        CorruptCheckpointError: It is not what was saved.
    """
    wanted = checkpoint.get(HASHES_KEY)
    if wanted is None:
        return
    found = section_hashes(checkpoint)
    known = isinstance(wanted, Mapping) and 'state_dict' in wanted
    damaged = (
        [name for name in found if wanted.get(name, found[name]) != found[name]] if known else ['hashes']
    )
    if known and 'state_dict' not in found:
        damaged = ['state_dict']
    if damaged:
        raise CorruptCheckpointError(
            f'checkpoint {path} is damaged: its {damaged[0]} is not what was saved, as the hash in it shows; delete it '
            f"and use another copy (whoever changed it on purpose takes '{HASHES_KEY}' out)."
        )


def hash_tensor(value: Tensor) -> str:
    """Hex hash of a tensor's type, shape and bytes, whatever its device and memory layout."""
    value = value.detach().cpu().contiguous()
    digest = hashlib.blake2b(f'{value.dtype}{tuple(value.shape)}'.encode(), digest_size=_DIGEST_BYTES)
    digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _hash(value: Any) -> bytes:
    """Digest of tensors and plain data at any depth; the order of a mapping does not count."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    if isinstance(value, Tensor):
        digest.update(b't' + hash_tensor(value).encode())
    elif isinstance(value, Mapping):
        digest.update(b'm')
        for key, item in sorted((_hash(key), _hash(item)) for key, item in value.items()):
            digest.update(key + item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        digest.update(type(value).__name__.encode())
        parts = [_hash(item) for item in value]
        for part in sorted(parts) if isinstance(value, (set, frozenset)) else parts:
            digest.update(part)
    elif isinstance(value, float):
        digest.update(b'f' + struct.pack('<d', value))
    else:
        digest.update(f'{type(value).__name__}:{value!r}'.encode(errors='surrogatepass'))
    return digest.digest()
