"""The scene segmentation model: a backbone and a decoder, over blocks of a room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from ..registry import MODELS
from ..structures import BackboneFeatures, PointDataSample
from .base import TunedModel
from .scene_preprocessor import unit_sphere
from .sliding_blocks import Blocks, SlidingBlocks


@MODELS.register_module()
class SceneSegmentor(TunedModel):
    """Give every point of a scene its class.

    It learns from blocks, one at a time. To predict, blocks slide over the scene; every point gets the class with the
    largest mean logit over the blocks it is in. Data samples are mmdet3d's, but the model itself does not need mmdet3d.

    Args:
        backbone (dict): Config of a plain backbone.
        head (dict): Config of the head (a ``SceneSegHead``).
        test_cfg (dict | None): How blocks slide: arguments of :class:`SlidingBlocks`, named as in mmdet3d.
        peft (dict | None): Config of the wrapper that freezes and tunes the backbone; None means full fine-tuning.
        auxiliary_head (dict | None): Config of a head with a further loss for training.
        data_preprocessor (dict | None): Config of the data preprocessor.

    Raises:
        ValueError: If blocks have fewer points than the backbone makes groups.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        head: dict[str, Any],
        *,
        test_cfg: dict[str, Any] | None = None,
        peft: dict[str, Any] | None = None,
        auxiliary_head: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            backbone, head, peft=peft, auxiliary_head=auxiliary_head, data_preprocessor=data_preprocessor
        )
        self.sliding = SlidingBlocks(**(test_cfg or {}))
        self._check_size(self.sliding.num_points, 'model.test_cfg.num_points')

    def forward(
        self, inputs: dict[str, Any], data_samples: Sequence[Any] | None = None, mode: str = 'tensor'
    ) -> Any:
        """Run the model.

        Args:
            inputs (dict): ``points`` (B, N, 3) and ``point_features`` (B, N, D) of blocks; for ``mode='predict'``
                ``point_features`` of whole scenes, a tensor or a list of (N, D).
            data_samples (Sequence | None): With ``gt_pts_seg.pts_semantic_mask`` (N,) for ``mode='loss'``.
            mode (str): ``tensor`` for raw logits (B, N, num_classes), ``loss`` for a dict of losses, ``predict`` for
                data samples with ``pred_pts_seg.pts_semantic_mask``.
        """
        if mode == 'predict':
            return self.predict(inputs['point_features'], data_samples)
        if mode not in ('tensor', 'loss'):
            raise ValueError(
                f"mode={mode!r} is unknown to SceneSegmentor; use 'tensor', 'loss' or 'predict'."
            )
        features, logits = self._decode(inputs['points'], inputs['point_features'])
        if mode == 'tensor':
            return logits
        assert data_samples is not None
        labels = torch.stack([sample.gt_pts_seg.pts_semantic_mask for sample in data_samples])
        return {**self.head.loss(logits, labels.long()), **self.auxiliary_loss(features)}

    def predict(self, scenes: Sequence[Tensor] | Tensor, data_samples: Sequence[Any] | None) -> list[Any]:
        """Write the classes of all points of scenes (N, D) into data samples (new ones if None is given)."""
        samples = (
            list(data_samples)
            if data_samples is not None
            else [PointDataSample() for _ in range(len(scenes))]
        )
        for scene, sample in zip(scenes, samples):
            # The predictions get the kind of container that the sample has for its annotations.
            container = type(getattr(sample, 'gt_pts_seg', BaseDataElement()))
            sample.pred_pts_seg = container(pts_semantic_mask=self.scene_logits(scene).argmax(dim=1))
        return samples

    def scene_logits(self, scene: Tensor) -> Tensor:
        """Mean logits (N, num_classes) of the points of a scene (N, D) over the blocks that have them."""
        index, centers = self.sliding.cut(scene[:, :3])
        total = scene.new_zeros(len(scene), self.head.num_classes)
        size = self.sliding.batch_size
        for batch in map(Blocks, index.split(size), centers.split(size)):
            columns = self.sliding.inputs(scene, batch)
            _, logits = self._decode(unit_sphere(columns[..., :3]), columns)
            total.index_add_(0, batch.point_index.flatten(), logits.flatten(0, 1).to(total.dtype))
        return total / index.flatten().bincount(minlength=len(scene)).unsqueeze(1)

    def _decode(self, points: Tensor, point_features: Tensor) -> tuple[BackboneFeatures, Tensor]:
        """Features, and logits (B, N, num_classes), of blocks (B, N, 3)."""
        self._check_size(points.shape[1], 'num_points of IndoorPatchPointSample')
        features = self.backbone(points, hidden_layers=self.head.hidden_layers)
        return features, self.head(features, points, point_features)

    def _check_size(self, num_points: int, place: str) -> None:
        """Refuse blocks that are too small for the backbone."""
        num_groups = self.backbone.num_groups
        if num_points < num_groups:
            raise ValueError(
                f'a block has {num_points} points, but the backbone cuts it into {num_groups} groups; raise {place} to '
                f'{num_groups} or more, or lower model.backbone.num_groups.'
            )
