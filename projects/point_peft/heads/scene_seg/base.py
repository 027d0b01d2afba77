"""What all scene segmentation heads share: their inputs and their loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor
from torch.nn import functional as F

from ...backbones import AnyBackbone
from ...io.errors import InvalidValueError
from ...structures import BackboneFeatures
from ..base import DecoderHead, given_or_new


class SceneSegHead(DecoderHead):
    """Base of heads that decode the tokens of a block into a class per point.

    The points' own features (place in the room, color) go past the backbone, which was pre-trained on bare shapes,
    straight to the decoder.

    Args:
        backbone (AnyBackbone): The backbone.
        num_classes (int): Number of classes.
        point_channels (int): Columns D of the points' own features: 6 for coordinates and color, 9 with the coordinates
            relative to the room's largest.
        ignore_index (int | None): Label of points that have no class; None means ``num_classes``, as in mmdet3d.
        class_weight (Sequence[float] | None): Weight of every class in the loss; None means equal weights.
    """

    def __init__(
        self,
        backbone: AnyBackbone,
        num_classes: int,
        *,
        point_channels: int = 6,
        ignore_index: int | None = None,
        class_weight: Sequence[float] | None = None,
    ) -> None:
        super().__init__(backbone)
        if class_weight is not None and len(class_weight) != num_classes:
            raise InvalidValueError(
                f'class_weight has {len(class_weight)} numbers; give num_classes={num_classes}.'
            )
        self.num_classes = num_classes
        self.point_channels = point_channels
        self.ignore_index = num_classes if ignore_index is None else ignore_index
        self.class_weight: Tensor
        weights = torch.ones(num_classes) if class_weight is None else torch.tensor(class_weight)
        self.register_buffer('class_weight', weights, persistent=False)

    def forward(self, features: BackboneFeatures, inputs: dict[str, Tensor]) -> Tensor:
        """Decode.

        Args:
            features (BackboneFeatures): With ``hidden`` of ``hidden_layers``.
            inputs (dict): ``points`` (B, N, 3), the coordinates that the backbone saw, and ``point_features``
                (B, N, D), the points' own features.

        Returns:
            Tensor: Logits (B, N, num_classes).

        Raises:
            ValueError: If the points have another number of features than the head was built for.
        """
        points, point_features = inputs['points'], inputs['point_features']
        if point_features.shape[-1] != self.point_channels:
            raise InvalidValueError(
                f'the points have {point_features.shape[-1]} columns, but the head is built for '
                f'{self.point_channels}; set model.head.point_channels to what the pipeline gives.'
            )
        return self.decode(
            features.joined(self.stages), features.tokens.stage_centers, points, point_features
        )

    @abstractmethod
    def decode(
        self, tokens: Sequence[Tensor], centers: Sequence[Tensor], points: Tensor, point_features: Tensor
    ) -> Tensor:
        """Logits (B, N, num_classes) from the joined tokens (B, G_s, W_s) of every stage.

        Args:
            tokens (Sequence[Tensor]): Tokens of every stage.
            centers (Sequence[Tensor]): (B, G_s, 3) where they are.
            points (Tensor): (B, N, 3).
            point_features (Tensor): (B, N, D).
        """

    def loss(self, logits: Tensor, data_samples: Sequence[Any]) -> dict[str, Tensor]:
        """Weighted mean of the cross-entropy of logits (B, N, num_classes) over the points that have a class.

        The labels are ``gt_pts_seg.pts_semantic_mask`` (N,), as mmdet3d has them. Without any point that has a class
        the loss is zero.

        Raises:
            ValueError: If a label is neither a class nor ``ignore_index``.
        """
        labels = torch.stack([sample.gt_pts_seg.pts_semantic_mask for sample in data_samples]).long()
        known = labels != self.ignore_index
        if labels.device.type == 'cpu' and bool(
            (known & ((labels < 0) | (labels >= self.num_classes))).any()
        ):
            raise InvalidValueError(
                f'labels go from {int(labels.min())} to {int(labels.max())}, but the head knows classes 0 to '
                f'{self.num_classes - 1} and ignores {self.ignore_index}; put PointSegClassMapping into the pipeline, '
                'or set model.head.num_classes.'
            )
        labels, known = labels.to(logits.device), known.to(logits.device)
        weights = self.class_weight[labels.masked_fill(~known, 0)] * known  # (B, N)
        losses = F.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), reduction='none', ignore_index=self.ignore_index
        )
        total = weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
        return {'loss': (losses * weights.flatten()).sum() / total}

    def to_samples(
        self, logits: Sequence[Tensor] | Tensor, inputs: dict[str, Any], data_samples: Sequence[Any] | None
    ) -> list[Any]:
        """Write the best class of every point into data samples, as ``pred_pts_seg.pts_semantic_mask`` (N,).

        Args:
            logits (Sequence[Tensor] | Tensor): (N, num_classes) of each cloud; their sizes may differ.
            inputs (dict): Unused.
            data_samples (Sequence | None): Samples; new ones are made for None.
        """
        samples = given_or_new(data_samples, len(logits))
        for sample, scores in zip(samples, logits):
            # The predictions get the kind of container that the sample has for its annotations.
            container = type(getattr(sample, 'gt_pts_seg', BaseDataElement()))
            sample.pred_pts_seg = container(pts_semantic_mask=scores.argmax(dim=1))
        return samples
