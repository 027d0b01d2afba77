"""What all scene segmentation heads share: their inputs and their loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional as F

from ...structures import BackboneFeatures


class SceneSegHead(BaseModule):
    """Base of heads that decode the tokens of a block into a class per point.

    The points' own features (place in the room, color) go past the backbone, which was pre-trained on bare shapes,
    straight to the decoder.

    Args:
        num_classes (int): Number of classes.
        embed_dim (int): Token dimension C.
        stages (Sequence[Sequence[int]]): Blocks of the backbone whose tokens are decoded, for every stage of the
            backbone, finest first; a backbone without hierarchy has one stage.
        stage_dims (Sequence[int] | None): Token dimension of every stage; None means ``embed_dim`` everywhere.
        point_channels (int): Columns D of the points' own features: 6 for coordinates and color, 9 with the coordinates
            relative to the room's largest.
        ignore_index (int | None): Label of points that have no class; None means ``num_classes``, as in mmdet3d.
        class_weight (Sequence[float] | None): Weight of every class in the loss; None means equal weights.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        embed_dim: int = 384,
        stages: Sequence[Sequence[int]] = ((3, 7, 11),),
        stage_dims: Sequence[int] | None = None,
        point_channels: int = 6,
        ignore_index: int | None = None,
        class_weight: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        stage_dims = stage_dims or [embed_dim] * len(stages)
        if len(stages) != len(stage_dims):
            raise ValueError(
                f'{len(stages)} stages but {len(stage_dims)} stage_dims; give one for every stage.'
            )
        if class_weight is not None and len(class_weight) != num_classes:
            raise ValueError(f'class_weight has {len(class_weight)} numbers; give num_classes={num_classes}.')
        self.num_classes = num_classes
        self.point_channels = point_channels
        self.ignore_index = num_classes if ignore_index is None else ignore_index
        self.stages = [tuple(layers) for layers in stages]
        self.hidden_layers = tuple(layer for layers in self.stages for layer in layers)
        self.stage_widths = [dim * len(layers) for dim, layers in zip(stage_dims, self.stages)]
        self.class_weight: Tensor
        weights = torch.ones(num_classes) if class_weight is None else torch.tensor(class_weight)
        self.register_buffer('class_weight', weights, persistent=False)

    def forward(self, features: BackboneFeatures, points: Tensor, point_features: Tensor) -> Tensor:
        """Decode.

        Args:
            features (BackboneFeatures): With ``hidden`` of ``hidden_layers``.
            points (Tensor): (B, N, 3), the coordinates that the backbone saw.
            point_features (Tensor): (B, N, D), the points' own features.

        Returns:
            Tensor: Logits (B, N, num_classes).

        Raises:
            ValueError: If the points have another number of features than the head was built for.
        """
        if point_features.shape[-1] != self.point_channels:
            raise ValueError(
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
        """Decode the joined tokens (B, G_s, W_s) of every stage, at centers (B, G_s, 3); else as :meth:`forward`."""

    def loss(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Weighted mean of the cross-entropy of logits (B, N, num_classes) over the points that have a class.

        Without any such point the loss is zero.

        Raises:
            ValueError: If a label (B, N) is neither a class nor ``ignore_index``.
        """
        known = labels != self.ignore_index
        if labels.device.type == 'cpu' and bool(
            (known & ((labels < 0) | (labels >= self.num_classes))).any()
        ):
            raise ValueError(
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
