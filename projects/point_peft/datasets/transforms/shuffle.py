"""Random order of the points."""

from __future__ import annotations

import torch
from torch import Tensor

from ...registry import TRANSFORMS


@TRANSFORMS.register_module()
class ShufflePoints:
    """Permute the points of every sample.

    Farthest point sampling starts at the first point, so a new order gives new groups: the published
    loaders shuffle every training cloud (Point-MAE, ``ModelNetDataset`` and ``ScanObjectNNDataset``).
    Labels per point are not permuted along, so the data preprocessor refuses it for part segmentation.
    """

    reorders_points = True

    def __call__(self, points: Tensor) -> Tensor:
        """Permute ``points`` (B, N, C) along N, all channels together."""
        order = torch.rand(points.shape[:2], device=points.device).argsort(dim=1)
        return torch.gather(points, 1, order[..., None].expand_as(points))

    def __repr__(self) -> str:
        """Name."""
        return f'{type(self).__name__}()'
