"""Writing files of weights."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as serialize_safetensors
from torch import Tensor

from ..atomic import write_atomically
from .content_hash import HASHES_KEY, section_hashes


def save_checkpoint(path: str | Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and plain data atomically, as :func:`load_checkpoint_file` reads them, with hashes of both.

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
