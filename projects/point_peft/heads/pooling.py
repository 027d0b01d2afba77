"""Pooling of a backbone's tokens into one vector per cloud."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..io.errors import InvalidValueError
from ..ops import max_pool
from ..structures import BackboneFeatures

POOLS: dict[str, Callable[[BackboneFeatures], Tensor]] = {
    'cls': lambda features: features.prefix[:, features.class_index],
    'prefix': lambda features: features.prefix.flatten(1),
    'own_prefix': lambda features: features.own_prefix.flatten(1),
    'kept_mean': lambda features: features.kept.mean(dim=1),
    'sum': lambda features: features.patches.mean(dim=1) + max_pool(features.patches, dim=1),
    'max': lambda features: max_pool(features.patches, dim=1),
    'max_with_kept': lambda features: max_pool(torch.cat([features.kept, features.patches], dim=1), dim=1),
    'max_but_first': lambda features: max_pool(features.patches[:, 1:], dim=1),
    'mean': lambda features: features.patches.mean(dim=1),
    'mean_with_prefix': lambda features: torch.cat([features.prefix, features.patches], dim=1).mean(dim=1),
}


def pool_tokens(features: BackboneFeatures, parts: Sequence[str]) -> Tensor:
    """Concatenate pooled parts.

    Args:
        features (BackboneFeatures): Tokens after the final norm.
        parts (Sequence[str]): Names out of ``cls`` (class token), ``prefix`` (all prefix tokens), ``own_prefix``
            (without those of tuning methods that stayed), ``kept_mean`` (the mean of those), ``max``, ``max_with_kept``
            (over those, too), ``mean``, ``mean_with_prefix`` (over prefix tokens too), ``sum`` (maximum plus mean),
            ``max_but_first`` (maximum without the first patch token, which Point-M2AE's published classifier leaves out
            although it is no class token).

    Returns:
        Tensor: (B, sum of the parts' widths).

    Raises:
        ValueError: If a name is unknown.
    """
    _check(parts)
    return torch.cat([POOLS[part](features) for part in parts], dim=-1)


def pooled_width(
    parts: Sequence[str], embed_dim: int, num_prefix_tokens: int, num_kept_tokens: int = 0
) -> int:
    """Width of what :func:`pool_tokens` returns.

    Args:
        parts (Sequence[str]): Names of the parts.
        embed_dim (int): Token dimension C.
        num_prefix_tokens (int): Prefix tokens P of the backbone, tuned or not.
        num_kept_tokens (int): Those of them that are tokens of tuning methods.

    Raises:
        ValueError: If a name is unknown, or a part of tokens that there are none of.
    """
    _check(parts)
    if 'cls' in parts and num_prefix_tokens <= num_kept_tokens:
        raise InvalidValueError(
            f"pool={tuple(parts)} has 'cls', but the backbone has no class token; use 'max' or 'mean'."
        )
    if 'kept_mean' in parts and not num_kept_tokens:
        raise InvalidValueError(
            f"pool={tuple(parts)} has 'kept_mean', but no tuning method keeps tokens up to the head; leave it out."
        )
    counts = {'prefix': num_prefix_tokens, 'own_prefix': num_prefix_tokens - num_kept_tokens}
    return embed_dim * sum(counts.get(part, 1) for part in parts)


def _check(parts: Sequence[str]) -> None:
    """Refuse unknown parts."""
    unknown = [part for part in parts if part not in POOLS]
    if unknown:
        raise InvalidValueError(f'pool parts {unknown} are unknown; choose among {sorted(POOLS)}.')
