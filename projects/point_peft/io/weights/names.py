"""Names of tensors in files: taken out of their wrappers, and renamed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Renames = Sequence[tuple[str, str | Callable[[re.Match[str]], str]]]
"""Pairs (regular expression, replacement), as ``re.sub`` takes them; all are applied, in order."""

WRAPPERS = ('state_dict', 'base_model', 'model', 'model_state_dict')
"""Keys under which checkpoints of the field keep their state dict."""


def unwrap_state_dict(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint, out of its wrapper key and without ``module.`` prefixes."""
    for key in WRAPPERS:
        if isinstance(checkpoint.get(key), Mapping):
            checkpoint = checkpoint[key]
            break
    return {
        name.removeprefix('module.'): value
        for name, value in checkpoint.items()
        if isinstance(value, torch.Tensor)
    }


def strip_prefix(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors under ``prefix``, with it removed."""
    return {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}


def rename(state: Mapping[str, Tensor], renames: Renames) -> dict[str, Tensor]:
    """Return the tensors under new names."""
    return {apply_renames(name, renames): value for name, value in state.items()}


def apply_renames(name: str, renames: Renames) -> str:
    """A name behind all renames."""
    for pattern, replacement in renames:
        name = re.sub(pattern, replacement, name)
    return name
