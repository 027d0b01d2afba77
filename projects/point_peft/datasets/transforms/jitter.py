"""Random displacement of every point."""

from __future__ import annotations

import torch
from torch import Tensor

from ...registry import TRANSFORMS
from .coordinates import replace_coordinates


@TRANSFORMS.register_module()
class RandomJitter:
    """Add clipped Gaussian noise to every point.

    Source: PointNet, ``jitter_point_cloud``.

    Args:
        sigma (float): standard deviation, in the units of the cloud.
        clip (float): largest displacement along an axis.
    """

    def __init__(self, sigma: float = 0.01, clip: float = 0.05) -> None:
        self.sigma = sigma
        self.clip = clip

    def __call__(self, points: Tensor) -> Tensor:
        """Move the coordinates of ``points`` (B, N, C >= 3); further channels stay."""
        noise = (torch.randn_like(points[..., :3]) * self.sigma).clamp(-self.clip, self.clip)
        return replace_coordinates(points, points[..., :3] + noise)

    def __repr__(self) -> str:
        """Name and settings."""
        return f'{type(self).__name__}(sigma={self.sigma}, clip={self.clip})'
