"""Where a point is in its scene, as features."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..io.errors import InvalidValueError

NUM_AXES = 3
"""Coordinates of a point."""


class FourierEmbedding(nn.Module):
    """Sines and cosines of coordinates, at frequencies drawn once from a normal distribution and then fixed.

    Source: Tancik et al., Fourier Features (NeurIPS 2020, arXiv 2006.10739), section 6; used by 3DETR (arXiv
    2109.08141), section 3.3. The frequencies belong to the checkpoint, since nothing else can restore them.

    Args:
        embed_dims (int): Number of features, an even one.
        scale (float): Standard deviation of the frequencies in periods per scene; 1 in 3DETR.

    Raises:
        ValueError: ``embed_dims`` is odd.
    """

    def __init__(self, embed_dims: int, scale: float = 1.0) -> None:
        super().__init__()
        if embed_dims % 2:
            raise InvalidValueError(
                f'embed_dims={embed_dims} is odd; every frequency gives a sine and a cosine.'
            )
        self.frequencies: Tensor
        self.register_buffer('frequencies', scale * torch.randn(NUM_AXES, embed_dims // 2))

    def forward(self, coordinates: Tensor) -> Tensor:
        """Embed coordinates (..., 3), in [0, 1] within a scene, as (..., embed_dims)."""
        angles = 2 * math.pi * coordinates @ self.frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=-1)
