"""Tokens of a cloud at another scale than the backbone's."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..ops import gather, knn
from .context import TuningContext


def coarser_tokens(
    context: TuningContext, embed_groups: Callable[[Tensor], Tensor], num_groups: int, size_ratio: int
) -> tuple[Tensor, Tensor]:
    """Embed fewer groups of more points.

    Farthest point sampling is incremental, so the centers are those of the backbone's groups that were sampled first,
    and groups of the backbone's own size are embedded already.

    Args:
        context (TuningContext): Of this forward.
        embed_groups (Callable): That of the backbone.
        num_groups (int): Number G' of groups; at most the backbone's.
        size_ratio (int): Points of a group as a multiple of the backbone's.

    Returns:
        tuple: Tokens (B, G', C) and centers (B, G', 3).
    """
    tokens = context.tokens
    if tokens.sampling_rank is None:
        order = torch.arange(num_groups, device=tokens.centers.device).expand(tokens.centers.shape[0], -1)
    else:
        order = tokens.sampling_rank.argsort(dim=1)[:, :num_groups]
    centers = gather(tokens.centers, order)
    if size_ratio == 1:
        return gather(tokens.features, order), centers
    index = knn(centers, context.points, size_ratio * tokens.neighborhoods.shape[2])
    return embed_groups(gather(context.points, index) - centers.unsqueeze(2)), centers
