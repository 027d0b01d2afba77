"""What flows between the stages: data samples, tokens and the features a backbone returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from .io.errors import InvalidValueError
from .ops import gather


class PointDataSample(BaseDataElement):
    """Annotations and predictions of one point cloud.

    Data fields used by the project (all optional):
        gt_label (Tensor): () int64, class index.
        category (Tensor): () int64, index of the object's category, which part segmentation is told.
        gt_part (Tensor): (N,) int64, part of every point, by its id among the parts of all categories.
        gt_words (Tensor): (W,) int64, words in the object's name, by their number among the frequent words.
        pred_part (Tensor): (N,) int64, predicted part of every point.
        pred_label (Tensor): () int64, predicted class index.
        pred_scores (Tensor): (num_classes,) float, class probabilities.

    Meta fields: ``source`` (file and index the cloud came from), ``sample_idx``.
    """


@dataclass(frozen=True)
class TokenStage:
    """A later, coarser stage of a hierarchical backbone: which tokens of the stage before are merged into each token.

    The centers are the first ones of the stage before: farthest point sampling among points that are themselves in
    the order of farthest point sampling picks them in that order.

    Attributes:
        centers (Tensor): (B, G, 3) center of each token.
        neighbor_index (Tensor): (B, G, K) int64, tokens of the stage before.
    """

    centers: Tensor
    neighbor_index: Tensor


@dataclass(frozen=True)
class PointTokens:
    """A cloud cut into groups and embedded, before any transformer block.

    Attributes:
        features (Tensor): (B, G, C) embedding of each group, in the order of the backbone's sequence.
        centers (Tensor): (B, G, 3) center of each group, in the units of the cloud.
        neighborhoods (Tensor): (B, G, K, 3) points of each group relative to its center.
        center_index (Tensor): (B, G) int64 index of each center in the cloud.
        coarser (tuple[TokenStage, ...]): Later stages of a hierarchical backbone; empty for a plain one.
        sampling_rank (Tensor | None): (B, G) int64, place of each center in the order of farthest point sampling;
            None if the tokens are in that order.
        neighbor_index (Tensor | None): (B, G, K) int64 index of each group's points in the cloud, where it is known.
    """

    features: Tensor
    centers: Tensor
    neighborhoods: Tensor
    center_index: Tensor
    coarser: tuple[TokenStage, ...] = ()
    sampling_rank: Tensor | None = None
    neighbor_index: Tensor | None = None

    @property
    def stage_centers(self) -> list[Tensor]:
        """Centers (B, G_s, 3) of every stage, finest first."""
        return [self.centers, *(stage.centers for stage in self.coarser)]

    def first(self, num_groups: int) -> PointTokens:
        """Tokens of the ``num_groups`` groups that were sampled first, in the order of sampling.

        Farthest point sampling is incremental, so these are exactly the groups that sampling ``num_groups`` centers
        from the same cloud would have given.

        Raises:
            ValueError: If the tokens have coarser stages, which would lack some of their neighbours.
        """
        if num_groups >= self.centers.shape[1]:
            return self
        if self.coarser:
            raise InvalidValueError(
                f'the tokens of a hierarchical backbone cannot be cut to {num_groups} of {self.centers.shape[1]} '
                'groups; set num_prior_groups=None.'
            )
        count = self.centers.shape[1]
        if self.sampling_rank is None:
            order = torch.arange(count, device=self.centers.device).expand(self.centers.shape[0], -1)
        else:
            order = self.sampling_rank.argsort(dim=1)
        return self.reorder(order[:, :num_groups])

    def reorder(self, index: Tensor, *, sampling_rank: Tensor | None = None) -> PointTokens:
        """Tokens at ``index`` (B, G') int64 of each sample."""
        features, centers, center_index = (
            gather(part, index) for part in (self.features, self.centers, self.center_index.unsqueeze(-1))
        )
        neighborhoods = gather(self.neighborhoods.flatten(2), index).unflatten(
            2, self.neighborhoods.shape[2:]
        )
        found = self.neighbor_index
        return PointTokens(
            features,
            centers,
            neighborhoods,
            center_index.squeeze(-1),
            sampling_rank=sampling_rank,
            neighbor_index=None if found is None else gather(found, index),
        )


@dataclass(frozen=True)
class SceneTokens:
    """What an encoder of scenes hands to a neck; coordinates are those of the scene, in metres.

    Attributes:
        tokens (Sequence[Tensor]): (B, G_s, W_s) of every stage, finest first.
        centers (Sequence[Tensor]): (B, G_s, 3) where they are.
        index (Tensor): (B, G_0) int64 index of the finest stage's centers in the scene.
    """

    tokens: Sequence[Tensor]
    centers: Sequence[Tensor]
    index: Tensor


@dataclass
class BackboneFeatures:
    """What a backbone hands to a head, after its final norm.

    Attributes:
        patches (Tensor): (B, G, C) patch tokens, aligned with ``centers``.
        tokens (PointTokens): What they were computed from: the geometry of all stages.
        prefix (Tensor): (B, P, C) class-like tokens, and behind them the tokens of tuning methods that stayed; P may
            be 0.
        class_index (int): Which of them is the class token.
        raw_prefix (Tensor | None): (B, P, C) the same tokens before the final norm, where a backbone has them.
        hidden (dict[int, Tensor]): patch tokens (B, G, C) after the blocks a head asked for, normed as the published
            decoders want them.
        num_kept (int): How many of the prefix tokens are those of tuning methods.
        hidden_inserted (dict[int, Tensor]): tokens (B, T, C) of tuning methods that were in the sequence of the blocks
            a head asked for, as these left them, behind the final norm; of blocks of the last stage.
    """

    patches: Tensor
    tokens: PointTokens
    prefix: Tensor
    class_index: int = 0
    raw_prefix: Tensor | None = None
    hidden: dict[int, Tensor] = field(default_factory=dict)
    num_kept: int = 0
    hidden_inserted: dict[int, Tensor] = field(default_factory=dict)

    @property
    def own_prefix(self) -> Tensor:
        """(B, P, C) prefix tokens of the backbone."""
        return self.prefix[:, : self.prefix.shape[1] - self.num_kept]

    @property
    def kept(self) -> Tensor:
        """(B, T, C) prefix tokens of tuning methods."""
        return self.prefix[:, self.prefix.shape[1] - self.num_kept :]

    @property
    def centers(self) -> Tensor:
        """(B, G, 3) centers of the patch tokens."""
        return self.tokens.stage_centers[-1]

    def joined(self, stages: Sequence[Sequence[int]]) -> list[Tensor]:
        """The hidden tokens of the blocks of every stage, side by side: (B, G_s, W_s) each."""
        return [torch.cat([self.hidden[layer] for layer in layers], dim=-1) for layers in stages]

    def joined_inserted(self, layers: Sequence[int]) -> Tensor:
        """The tokens of tuning methods in the sequence of some blocks, side by side: (B, T, W).

        Raises:
            ValueError: If there are none, or not as many everywhere.
        """
        counts = {self.hidden_inserted[x].shape[1] if x in self.hidden_inserted else 0 for x in layers}
        if len(counts) > 1 or 0 in counts:
            raise InvalidValueError(
                f'blocks {list(layers)} have {sorted(counts)} tokens of tuning methods in their sequences, where the '
                'head needs as many in each, and some; change the head or the methods.'
            )
        return torch.cat([self.hidden_inserted[layer] for layer in layers], dim=-1)
