"""Checks that what was read is not made to grow without end when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CheckpointError, CorruptCheckpointError

MAX_ITEMS = 1_000_000
MAX_DEPTH = 100
"""Of nested lists and dicts; a checkpoint of a large run has some thousands of items, ten levels deep."""

MAX_GROWTH = 64
SMALL = 64 * 2**20
"""Tensors may have this many times the bytes of the file, plus these many: a tensor may repeat what it stores."""


def check_bounds(content: Any, path: Path) -> None:
    """Refuse content that is endless, or whose tensors are, and tensors of kinds that hold no plain numbers.

    Lists in a pickle may contain each other, so that a few bytes stand for billions of items.

    Raises:
        CheckpointError: The file is named.
    """
    size = path.stat().st_size
    waiting = [(content, 0)]
    count = 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if count > MAX_ITEMS or depth > MAX_DEPTH:
            raise CheckpointError(f'{path} has endless lists or dicts in it; use another file.')
        if isinstance(value, Tensor):
            _check_tensor(value, size, path)
        elif isinstance(value, Mapping):
            waiting += [(part, depth + 1) for item in value.items() for part in item]
        elif isinstance(value, (list, tuple, set, frozenset)):
            if len(value) > MAX_ITEMS:
                raise CheckpointError(f'{path} has endless lists or dicts in it; use another file.')
            waiting += [(part, depth + 1) for part in value]


def _check_tensor(value: Tensor, size: int, path: Path) -> None:
    """Refuse tensors without values, and ones that are far larger than the file."""
    if type(value) not in (Tensor, nn.Parameter) or value.layout != torch.strided or value.is_meta:
        raise CheckpointError(
            f'{path} has a tensor without plain values ({value.layout}, {value.device}); save it as a plain tensor.'
        )
    if value.numel() * value.element_size() > MAX_GROWTH * size + SMALL:
        raise CorruptCheckpointError(
            f'checkpoint {path} has {size} bytes but a tensor of shape {tuple(value.shape)}; delete it and use '
            'another one.'
        )
