"""From a list of clouds to an augmented batch on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from ..io.errors import InvalidValueError
from ..methods.training_views import TrainingViews
from ..ops import farthest_point_sample, gather
from ..registry import MODELS, TRANSFORMS


@MODELS.register_module()
class PointDataPreprocessor(BaseDataPreprocessor):
    """Stack clouds, move them to the device, subsample and augment them there, all samples at once.

    For training, farthest point sampling to ``num_candidates`` followed by a random choice of ``num_points`` gives a
    different subset each time (Point-MAE, ``tools/runner_finetune.py``); for evaluation it samples ``num_points``.

    Inputs with a ``category`` belong to part segmentation, whose labels lie on the CPU in the order of the dataset's
    points. For them the points must be kept, all and in their order.

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
            raise InvalidValueError(
                f'num_candidates={num_candidates} < num_points={num_points}; raise num_candidates.'
            )
        self.num_points = num_points
        self.num_candidates = num_candidates or num_points
        self.augments = [TRANSFORMS.build(augment) for augment in augments]
        self.training_views: TrainingViews | None = None

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Prepare a batch.

        Args:
            data (dict): ``inputs['points']`` as a list of (N, 3) tensors or a (B, N, 3) tensor, ``data_samples``.
                Other inputs, such as ``category``, are stacked as well if they are lists of tensors.
            training (bool): Whether to augment.

        Returns:
            dict: ``inputs['points']`` (B, num_points, 3) on the device, with the other inputs; ``data_samples``
            unchanged.

        Raises:
            ValueError: If clouds differ in size, or points with part labels would be taken out or reordered.
        """
        if training and self.training_views is not None:
            points = self.training_views.points(
                data['data_samples'], lambda: self._draw_points(data, training)
            )
        else:
            points = self._draw_points(data, training)
        others = {
            name: self._gather_input(value) for name, value in data['inputs'].items() if name != 'points'
        }
        return {'inputs': {**others, 'points': points}, 'data_samples': data.get('data_samples')}

    def _draw_points(self, data: dict[str, Any], training: bool) -> Tensor:
        """Points (B, num_points, 3) on the device, augmented for training."""
        points = _stack(data['inputs']['points'], data.get('data_samples')).to(self.device, non_blocking=True)
        if 'category' in data['inputs']:
            self._check_order_is_kept(points.shape[1])
        with torch.autocast(points.device.type, enabled=False):  # coordinates are not rounded
            points = self._subsample(points, training)
            if training:
                for augment in self.augments:
                    points = augment(points)
        return points

    def _gather_input(self, value: Any) -> Any:
        """A further input on the device, stacked if it is a list of tensors; anything else as it is."""
        if isinstance(value, (list, tuple)) and value and all(isinstance(part, Tensor) for part in value):
            value = torch.stack(list(value))
        return value.to(self.device, non_blocking=True) if isinstance(value, Tensor) else value

    def _check_order_is_kept(self, size: int) -> None:
        """Refuse to subsample or shuffle clouds of ``size`` points whose labels would not follow."""
        if self.num_points is not None and self.num_points < size:
            raise InvalidValueError(
                f'the data preprocessor would take {self.num_points} of {size} points, but their part labels would not '
                'follow; set num_points in the dataset, and in data_preprocessor to None.'
            )
        shuffling = [
            type(augment).__name__ for augment in self.augments if getattr(augment, 'reorders_points', False)
        ]
        if shuffling:
            raise InvalidValueError(
                f'the augmentation {shuffling[0]} would reorder points whose part labels would not follow; take it out '
                'of data_preprocessor.augments: the dataset draws the points in random order.'
            )

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
        raise InvalidValueError(
            f'{source} has {sizes[odd]} points but the batch starts with {sizes[0]}; set num_points in the '
            'dataset so that all clouds have one size.'
        )
    return torch.stack(list(points))
