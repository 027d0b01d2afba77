"""The scene segmentation model: a backbone and a decoder, over blocks of a room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..heads import SceneSegHead
from ..io.errors import InvalidValueError
from ..registry import MODELS
from .base import TunedModel
from .scene_preprocessor import unit_sphere
from .sliding_blocks import Blocks, SlidingBlocks


@MODELS.register_module()
class SceneSegmentor(TunedModel):
    """Give every point of a scene its class: logits (B, N, num_classes) of blocks.

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

    head: SceneSegHead

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
        """Run the model on blocks, or predict whole scenes.

        Args:
            inputs (dict): ``points`` (B, N, 3) and ``point_features`` (B, N, D) of blocks; for ``mode='predict'``
                ``point_features`` of whole scenes, a tensor or a list of (N, D).
            data_samples (Sequence | None): With ``gt_pts_seg.pts_semantic_mask`` (N,) for ``mode='loss'``.
            mode (str): ``tensor`` for raw logits (B, N, num_classes), ``loss`` for a dict of losses, ``predict`` for
                data samples with ``pred_pts_seg.pts_semantic_mask``.
        """
        if mode == 'predict':
            logits = [self.scene_logits(scene) for scene in inputs['point_features']]
            return self.head.to_samples(logits, inputs, data_samples)
        self._check_size(inputs['points'].shape[1], 'num_points of IndoorPatchPointSample')
        return super().forward(inputs, data_samples, mode)

    def scene_logits(self, scene: Tensor) -> Tensor:
        """Mean logits (N, num_classes) of the points of a scene (N, D) over the blocks that have them."""
        index, centers = self.sliding.cut(scene[:, :3])
        total = scene.new_zeros(len(scene), self.head.num_classes)
        size = self.sliding.batch_size
        for batch in map(Blocks, index.split(size), centers.split(size)):
            columns = self.sliding.inputs(scene, batch)
            logits = self(dict(points=unit_sphere(columns[..., :3]), point_features=columns))
            total.index_add_(0, batch.point_index.flatten(), logits.flatten(0, 1).to(total.dtype))
        return total / index.flatten().bincount(minlength=len(scene)).unsqueeze(1)

    def _check_size(self, num_points: int, place: str) -> None:
        """Refuse blocks that are too small for the backbone."""
        num_groups = self.backbone.num_groups
        if num_points < num_groups:
            raise InvalidValueError(
                f'a block has {num_points} points, but the backbone cuts it into {num_groups} groups; raise {place} to '
                f'{num_groups} or more, or lower model.backbone.num_groups.'
            )
