"""Checkpoints that are either complete or not there."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.fileio import LocalBackend, register_backend
from safetensors.torch import save as serialize_safetensors
from torch import Tensor

from ...files import write_atomically
from .content_hash import HASHES_KEY, section_hashes


class AtomicLocalBackend(LocalBackend):
    """MMEngine's local storage without half-written files: ``backend_args=dict(backend='atomic_local')``."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes; see :func:`write_atomically`."""
        write_atomically(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text; see :func:`write_atomically`."""
        write_atomically(filepath, obj.encode(encoding))


register_backend('atomic_local', AtomicLocalBackend, force=True)


def save_checkpoint(path: str | Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and plain facts atomically, as :func:`load_checkpoint_file` reads them, with hashes of both.

    Args:
        path (str | Path): File to write; ``.safetensors``, with every value of ``meta`` as JSON in the
            metadata, or anything else for ``torch.save``.
        tensors (Mapping[str, Tensor]): Tensors by name, of any device and memory layout.
        meta (Mapping[str, Any]): Plain data.
    """
    # Clones, because safetensors refuses tensors that share memory.
    own = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    if Path(path).suffix == '.safetensors':
        texts = {key: json.dumps(value) for key, value in meta.items()}
        hashes = section_hashes(dict(state_dict=own, meta=texts))
        content = serialize_safetensors(own, {**texts, HASHES_KEY: json.dumps(hashes)})
    else:
        buffer = io.BytesIO()
        sections = dict(state_dict=own, meta=dict(meta))
        torch.save({**sections, HASHES_KEY: section_hashes(sections)}, buffer)
        content = buffer.getvalue()
    write_atomically(path, content)
