"""What all part segmentation heads do with the logits of their decoder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional as F

from ...structures import BackboneFeatures, PointDataSample


class PartSegHead(BaseModule):
    """Base of heads that decode tokens into a part per point.

    Args:
        parts_per_category (Sequence[int]): Number of parts of every category, whose ids follow each other; predictions
            are restricted to the parts of the object's category.
        hidden_layers (Sequence[int]): Blocks of the backbone whose tokens are decoded.
    """

    def __init__(
        self, parts_per_category: Sequence[int], *, hidden_layers: Sequence[int] = (3, 7, 11)
    ) -> None:
        super().__init__()
        self.hidden_layers = tuple(hidden_layers)
        self.parts_per_category = tuple(parts_per_category)
        self.num_categories, self.num_parts = len(parts_per_category), sum(parts_per_category)
        category_of = [category for category, parts in enumerate(parts_per_category) for _ in range(parts)]
        allowed = [[own == category for own in category_of] for category in range(self.num_categories)]
        self.allowed: Tensor  # (categories, parts)
        self.register_buffer('allowed', torch.tensor(allowed), persistent=False)

    @abstractmethod
    def forward(self, features: BackboneFeatures, points: Tensor, category: Tensor) -> Tensor:
        """Decode.

        Args:
            features (BackboneFeatures): With ``hidden`` of ``hidden_layers``.
            points (Tensor): (B, N, 3).
            category (Tensor): (B,) int64.

        Returns:
            Tensor: Logits (B, N, num_parts).
        """

    def one_hot(self, category: Tensor, like: Tensor) -> Tensor:
        """Category (B,) as (B, num_categories) in the dtype of ``like``.

        Raises:
            ValueError: On a CPU, if a category is out of range.
        """
        if category.device.type == 'cpu' and bool(((category < 0) | (category >= self.num_categories)).any()):
            raise ValueError(
                f'category {category.tolist()} is outside [0, {self.num_categories}); give the index of the '
                "object's category in the dataset's list."
            )
        return F.one_hot(category, self.num_categories).to(like.dtype)

    def loss(self, logits: Tensor, data_samples: Sequence[PointDataSample]) -> dict[str, Tensor]:
        """Cross-entropy of logits (B, N, num_parts) against ``gt_part``, over all parts of all categories.

        Raises:
            ValueError: If a part label is outside ``[0, num_parts)``.
        """
        labels = torch.stack([sample.gt_part for sample in data_samples])
        if labels.device.type == 'cpu' and bool(((labels < 0) | (labels >= self.num_parts)).any()):
            wrong = next(
                s for s in data_samples if int(s.gt_part.max()) >= self.num_parts or int(s.gt_part.min()) < 0
            )
            raise ValueError(
                f'{wrong.get("source", "a sample")} has part labels from {int(wrong.gt_part.min())} to '
                f'{int(wrong.gt_part.max())}, but the head knows parts 0 to {self.num_parts - 1}; set '
                "parts_per_category to the dataset's."
            )
        return {'loss': F.cross_entropy(logits.flatten(0, 1), labels.to(logits.device).flatten())}

    def predict(
        self, logits: Tensor, category: Tensor, data_samples: Sequence[PointDataSample] | None
    ) -> list[PointDataSample]:
        """Write ``pred_part`` (N,), the best part of the object's category, into data samples (new ones for None)."""
        parts = logits.masked_fill(~self.allowed[category].unsqueeze(1), float('-inf')).argmax(
            dim=-1
        )  # (B, N)
        samples = list(data_samples) if data_samples is not None else [PointDataSample() for _ in parts]
        for sample, part in zip(samples, parts):
            sample.pred_part = part
        return samples
