"""Random choice of the axis that points up."""

from __future__ import annotations

import torch
from torch import Tensor

from ...registry import TRANSFORMS
from ..orientation import UP_AXES, check_up
from .coordinates import replace_coordinates


@TRANSFORMS.register_module()
class RandomUpAxis:
    """Turn some samples so that another axis points up; data sets do not agree on it.

    Args:
        source (str): axis that points up in the data.
        target (str): axis that points up in the turned samples.
        probability (float): share of the samples that are turned.
    """

    def __init__(self, source: str = 'z', target: str = 'y', probability: float = 0.5) -> None:
        self.shift = UP_AXES.index(check_up(target)) - UP_AXES.index(check_up(source))
        self.probability = probability

    def __call__(self, points: Tensor) -> Tensor:
        """Turn the coordinates of ``points`` (B, N, C >= 3); further channels stay."""
        coordinates = points[..., :3]
        turned = torch.rand(len(points), 1, 1, device=points.device) < self.probability
        return replace_coordinates(
            points, torch.where(turned, coordinates.roll(self.shift, dims=-1), coordinates)
        )

    def __repr__(self) -> str:
        """Name and settings."""
        return f'{type(self).__name__}(shift={self.shift}, probability={self.probability})'
