"""What flows between the stages: data samples, tokens and the features a backbone returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from mmengine.structures import BaseDataElement
from torch import Tensor


class PointDataSample(BaseDataElement):
    """Annotations and predictions of one point cloud.

    Data fields used by the project (all optional):
        gt_label (Tensor): () int64, class index.
        gt_part (Tensor): (N,) int64, part index of every point.
        pred_label (Tensor): () int64, predicted class index.
        pred_scores (Tensor): (num_classes,) float, class probabilities.

    Meta fields: ``source`` (file and index the cloud came from), ``sample_idx``.
    """


@dataclass(frozen=True)
class PointTokens:
    """A cloud cut into groups and embedded, before any transformer block.

    Attributes:
        features (Tensor): (B, G, C) embedding of each group.
        centers (Tensor): (B, G, 3) center of each group, in the units of the cloud.
        neighborhoods (Tensor): (B, G, K, 3) points of each group relative to its center.
        center_index (Tensor): (B, G) int64 index of each center in the cloud.
    """

    features: Tensor
    centers: Tensor
    neighborhoods: Tensor
    center_index: Tensor

    def first(self, num_groups: int) -> PointTokens:
        """Tokens of the first ``num_groups`` groups.

        Farthest point sampling is incremental, so these are exactly the groups that sampling
        ``num_groups`` centers from the same cloud would have given.
        """
        return PointTokens(*(value[:, :num_groups] for value in vars(self).values()))


@dataclass
class BackboneFeatures:
    """What a backbone hands to a head, after its final norm.

    Attributes:
        patches (Tensor): (B, G, C) patch tokens, aligned with ``centers``.
        centers (Tensor): (B, G, 3) group centers.
        prefix (Tensor): (B, P, C) class-like tokens; P may be 0.
        hidden (dict[int, Tensor]): patch tokens (B, G, C) after the blocks a head asked for.
    """

    patches: Tensor
    centers: Tensor
    prefix: Tensor
    hidden: dict[int, Tensor] = field(default_factory=dict)
