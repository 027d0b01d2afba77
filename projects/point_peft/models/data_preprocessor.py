"""From a list of clouds to an augmented batch on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from ..ops import farthest_point_sample, gather
from ..registry import MODELS, TRANSFORMS


@MODELS.register_module()
class PointDataPreprocessor(BaseDataPreprocessor):
    """Stack clouds, move them to the device, subsample and augment them there, all samples at once.

    For training, farthest point sampling to ``num_candidates`` followed by a random choice of ``num_points`` gives a
    different subset each time (Point-MAE, ``tools/runner_finetune.py``); for evaluation it samples ``num_points``.

    Args:
        num_points (int | None): Points per cloud that the model sees; None keeps all.
        num_candidates (int | None): Points to choose from in training; None means ``num_points``.
        augments (Sequence[dict]): Configs of batched augmentations (registry TRANSFORMS), for training only.
    """

    def __init__(
        self,
        *,
        num_points: int | None = None,
        num_candidates: int | None = None,
        augments: Sequence[dict[str, Any]] = (),
    ) -> None:
        super().__init__(non_blocking=True)
        if num_points is not None and num_candidates is not None and num_candidates < num_points:
            raise ValueError(
                f'num_candidates={num_candidates} < num_points={num_points}; raise num_candidates.'
            )
        self.num_points = num_points
        self.num_candidates = num_candidates or num_points
        self.augments = [TRANSFORMS.build(augment) for augment in augments]

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Prepare a batch.

        Args:
            data (dict): ``inputs['points']`` as a list of (N, 3) tensors or a (B, N, 3) tensor, ``data_samples``.
            training (bool): Whether to augment.

        Returns:
            dict: ``inputs['points']`` (B, num_points, 3) on the device, ``data_samples`` unchanged.
        """
        inputs = dict(data['inputs'])
        points = _stack(inputs['points'], data.get('data_samples')).to(self.device, non_blocking=True)
        points = self._subsample(points, training)
        if training:
            for augment in self.augments:
                points = augment(points)
        return {'inputs': {**inputs, 'points': points}, 'data_samples': data.get('data_samples')}

    def _subsample(self, points: Tensor, training: bool) -> Tensor:
        """(B, N, 3) -> (B, num_points, 3); a cloud that has no more points than wanted is kept whole."""
        if self.num_points is None or points.shape[1] <= self.num_points:
            return points
        size = self.num_candidates if training and self.num_candidates else self.num_points
        if size < points.shape[1]:  # sampling all of them would only reorder
            points = gather(points, farthest_point_sample(points[..., :3].contiguous(), size))
        if points.shape[1] == self.num_points:
            return points
        choice = torch.randperm(points.shape[1], device=points.device)[: self.num_points]
        return points[:, choice]


def _stack(points: Tensor | Sequence[Tensor], data_samples: Sequence[Any] | None) -> Tensor:
    """Stack clouds of one size, or say which of them differs."""
    if isinstance(points, Tensor):
        return points
    sizes = [len(cloud) for cloud in points]
    if len(set(sizes)) > 1:
        odd = next(i for i, size in enumerate(sizes) if size != sizes[0])
        source = data_samples[odd].get('source', f'sample {odd}') if data_samples else f'sample {odd}'
        raise ValueError(
            f'{source} has {sizes[odd]} points but the batch starts with {sizes[0]}; set num_points in the '
            'dataset so that all clouds have one size.'
        )
    return torch.stack(list(points))
