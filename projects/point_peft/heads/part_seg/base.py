"""What all part segmentation heads do with the logits of their decoder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ...backbones import AnyBackbone
from ...io.errors import InvalidValueError
from ...ops.compiling import all_inside
from ...structures import BackboneFeatures, PointDataSample
from ..base import DecoderHead, given_or_new


class PartSegHead(DecoderHead):
    """Base of heads that decode tokens into a part per point.

    Args:
        backbone (AnyBackbone): The backbone.
        parts_per_category (Sequence[int]): Number of parts of every category, whose ids follow each other; predictions
            are restricted to the parts of the object's category.
    """

    def __init__(self, backbone: AnyBackbone, parts_per_category: Sequence[int]) -> None:
        super().__init__(backbone)
        self.parts_per_category = tuple(parts_per_category)
        self.num_categories, self.num_parts = len(parts_per_category), sum(parts_per_category)
        category_of = [category for category, parts in enumerate(parts_per_category) for _ in range(parts)]
        allowed = [[own == category for own in category_of] for category in range(self.num_categories)]
        self.allowed: Tensor  # (categories, parts)
        self.register_buffer('allowed', torch.tensor(allowed), persistent=False)

    def forward(self, features: BackboneFeatures, inputs: dict[str, Tensor]) -> Tensor:
        """Decode.

        Args:
            features (BackboneFeatures): With ``hidden`` of ``hidden_layers``.
            inputs (dict): ``points`` (B, N, 3) and ``category`` (B,) int64.

        Returns:
            Tensor: Logits (B, N, num_parts).

        Raises:
            ValueError: If the categories are missing.
        """
        if 'category' not in inputs:
            raise InvalidValueError(
                "part segmentation is told the objects' categories, but inputs has no 'category'; give it as (B,) "
                'int64, or use a dataset of objects with parts.'
            )
        return self.decode(features, inputs['points'], inputs['category'])

    @abstractmethod
    def decode(self, features: BackboneFeatures, points: Tensor, category: Tensor) -> Tensor:
        """Logits (B, N, num_parts) of points (B, N, 3) of objects of a category (B,) int64."""

    def single_stage_width(self) -> int:
        """Width of the joined tokens of a backbone without hierarchy.

        Raises:
            ValueError: If the backbone has stages.
        """
        if len(self.stages) > 1:
            raise InvalidValueError(
                f'{type(self).__name__} decodes tokens of one stage, but the backbone has {len(self.stages)}; use '
                'HierarchicalPartSegHead.'
            )
        return self.stage_widths[0]

    def one_hot(self, category: Tensor, like: Tensor) -> Tensor:
        """Category (B,) as (B, num_categories) in the dtype of ``like``.

        Raises:
            ValueError: On a CPU, if a category is out of range.
        """
        if category.device.type == 'cpu' and not all_inside(category, self.num_categories):
            raise InvalidValueError(
                f'category {category.tolist()} is outside [0, {self.num_categories}); give the index of the '
                "object's category in the dataset's list."
            )
        # Rows are taken out of a table, since ONNX refuses one that there is not, but makes zeros of a wrong category.
        row = torch.where(category < 0, self.num_categories, category)
        return torch.eye(self.num_categories, dtype=like.dtype, device=like.device)[row]

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
            raise InvalidValueError(
                f'{wrong.get("source", "a sample")} has part labels from {int(wrong.gt_part.min())} to '
                f'{int(wrong.gt_part.max())}, but the head knows parts 0 to {self.num_parts - 1}; set '
                "parts_per_category to the dataset's."
            )
        return {'loss': F.cross_entropy(logits.flatten(0, 1), labels.to(logits.device).flatten())}

    def to_samples(
        self, logits: Tensor, inputs: dict[str, Tensor], data_samples: Sequence[PointDataSample] | None
    ) -> list[PointDataSample]:
        """Write ``pred_part`` (N,), the best part of the object's category, into data samples (new ones for None)."""
        others = ~self.allowed[inputs['category']].unsqueeze(1)
        parts = logits.masked_fill(others, float('-inf')).argmax(dim=-1)  # (B, N)
        samples = given_or_new(data_samples, len(parts))
        for sample, part in zip(samples, parts):
            sample.pred_part = part
        return samples
