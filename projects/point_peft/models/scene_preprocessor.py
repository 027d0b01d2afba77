"""From clouds with color to what a scene segmentation model takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from ..io.errors import InvalidValueError
from ..registry import MODELS


@MODELS.register_module()
class ScenePreprocessor(BaseDataPreprocessor):
    """Move blocks or whole scenes to the device, and give each the scale that backbones are pre-trained at.

    The published backbones are pre-trained on objects that are centred and scaled into the unit sphere, one by one. So
    is every block here, before the backbone sees it: a backbone given coordinates in metres would meet groups and
    positions unlike any it knows. How large a block is, where the floor is, and the colors stay in the points' own
    features.
    """

    def __init__(self) -> None:
        super().__init__(non_blocking=True)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Prepare a batch.

        Args:
            data (dict): ``inputs['points']``, a list of tensors (N, D) whose first three columns are coordinates, and
                ``data_samples``; as mmdet3d's ``Pack3DDetInputs`` and ``pseudo_collate`` make them.
            training (bool): Whether these are blocks to learn from, which must have one size.

        Returns:
            dict: ``inputs['points']`` (B, N, 3) in the unit sphere and ``inputs['point_features']`` (B, N, D) as
            given, on the device; lists of tensors if the clouds differ in size, as whole scenes do. ``data_samples``
            unchanged.

        Raises:
            ValueError: If blocks to learn from differ in size.
        """
        clouds = [cloud.to(self.device, non_blocking=True) for cloud in data['inputs']['points']]
        if training:
            _check_sizes(clouds)
        points = [unit_sphere(cloud[:, :3]) for cloud in clouds]
        inputs = {'points': _stack(points), 'point_features': _stack(clouds)}
        return {'inputs': inputs, 'data_samples': data.get('data_samples')}


def unit_sphere(points: Tensor) -> Tensor:
    """Move the mean of every cloud (..., N, 3) to the origin and scale its farthest point to distance 1.

    A cloud whose points all coincide is only moved.
    """
    centered = points - points.mean(dim=-2, keepdim=True)
    radius = centered.norm(dim=-1, keepdim=True).amax(dim=-2, keepdim=True)
    return centered / torch.where(radius > 0, radius, torch.ones_like(radius))


def _check_sizes(clouds: Sequence[Tensor]) -> None:
    """Refuse blocks of different sizes."""
    sizes = sorted({len(cloud) for cloud in clouds})
    if len(sizes) > 1:
        raise InvalidValueError(
            f'the blocks of a batch have {sizes[0]} to {sizes[-1]} points; put IndoorPatchPointSample into the '
            'training pipeline, which gives all blocks num_points.'
        )


def _stack(clouds: Sequence[Tensor]) -> Tensor | list[Tensor]:
    """Stack clouds of one size; others stay in a list."""
    return torch.stack(list(clouds)) if len({len(cloud) for cloud in clouds}) == 1 else list(clouds)
