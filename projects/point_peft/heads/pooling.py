"""Pooling of a backbone's tokens into one vector per cloud."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..ops import max_pool
from ..structures import BackboneFeatures

POOLS: dict[str, Callable[[BackboneFeatures], Tensor]] = {
    'prefix': lambda features: features.prefix.flatten(1),
    'max': lambda features: max_pool(features.patches, dim=1),
    'mean': lambda features: features.patches.mean(dim=1),
}


def pool_tokens(features: BackboneFeatures, parts: Sequence[str]) -> Tensor:
    """Concatenate pooled parts.

    Args:
        features (BackboneFeatures): Tokens after the final norm.
        parts (Sequence[str]): Names out of ``prefix`` (all prefix tokens), ``max``, ``mean``.

    Returns:
        Tensor: (B, sum of the parts' widths).

    Raises:
        ValueError: If a name is unknown.
    """
    unknown = [part for part in parts if part not in POOLS]
    if unknown:
        raise ValueError(f'pool parts {unknown} are unknown; choose among {sorted(POOLS)}.')
    return torch.cat([POOLS[part](features) for part in parts], dim=-1)
