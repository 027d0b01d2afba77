"""Sizes of published networks, read from their tensors, as configs that build networks with the same tensors.

Neither groups nor attention heads leave a trace in a file, so these configs are for names and shapes only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..io.errors import CheckpointError

State = Mapping[str, Tensor]

DEFAULT_GROUP_SIZE = 32


def plain(state: State, prefix: str = '', *, kind: str = 'PointMAE', **more: Any) -> dict[str, Any]:
    """Config of a plain transformer whose tensors stand under ``prefix``."""
    return {
        'type': kind,
        'embed_dim': len(needed(state, f'{prefix}norm.weight')),
        'depth': count(state, f'{prefix}blocks.blocks.'),
        'num_heads': 1,
        'patch_dims': patch_dims(state, f'{prefix}encoder.'),
        **more,
    }


def patch_dims(state: State, prefix: str) -> list[int]:
    """Widths of a PointNet that embeds groups: all but the last, which is the token dimension."""
    first = [weight for weight in numbered(state, f'{prefix}first_conv.', 'weight') if weight.dim() == 3]
    return [*(len(weight) for weight in first), len(needed(state, f'{prefix}second_conv.0.weight'))]


def widths(state: State, prefix: str) -> list[int]:
    """Output channels of the numbered convolutions under ``prefix``."""
    return [len(needed(state, f'{prefix}{layer}.bias')) for layer in range(count(state, prefix))]


def numbered(state: State, prefix: str, part: str) -> list[Tensor]:
    """Tensors ``PREFIX<number>.PART`` in the order of their numbers."""
    found = {}
    for name, value in state.items():
        match = re.fullmatch(rf'{re.escape(prefix)}(\d+)\.{part}', name)
        if match:
            found[int(match[1])] = value
    return [found[number] for number in sorted(found)]


def count(state: State, prefix: str) -> int:
    """Number of numbered modules directly under ``prefix``."""
    return len({name[len(prefix) :].split('.')[0] for name in state if name.startswith(prefix)})


def needed(state: State, name: str) -> Tensor:
    """A tensor that the sizes are read from.

    Raises:
        CheckpointError: If it is missing.
    """
    if name not in state:
        raise CheckpointError(f'the file has no {name}, so it is incomplete; give it as published.')
    return state[name]
