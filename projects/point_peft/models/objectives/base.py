"""What all objectives of pre-training share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from ...ops.grouping import Groups
from ...structures import PointDataSample


@dataclass(frozen=True)
class GroupView:
    """Clouds of which the encoder saw some groups.

    Attributes:
        tokens (Tensor): (B, V, C) of the seen groups, after the encoder's norm.
        pooled (Tensor): (B, 2C) their maximum and mean, batch-normed.
        seen (Tensor): (B, V) int64, which groups they are.
        hidden (Tensor): (B, H) int64, the other groups.
        groups (Groups): all groups of the clouds.
    """

    tokens: Tensor
    pooled: Tensor
    seen: Tensor
    hidden: Tensor
    groups: Groups


class Objective(nn.Module, ABC):
    """A loss with the parameters that only pre-training needs.

    Subclasses get the encoder as the argument ``backbone``, to ask it for its sizes.

    Args:
        weight (float): Factor of the loss in the sum.
    """

    num_views = 1
    """Views that the loss compares: 2 makes the model encode the hidden groups as well."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    @abstractmethod
    def forward(self, views: Sequence[GroupView], samples: Sequence[PointDataSample]) -> Tensor:
        """The loss (), before its weight; zero with a graph if no cloud has what it needs."""


def having(samples: Sequence[PointDataSample], field: str) -> list[int]:
    """Positions of the clouds of which ``field`` is known."""
    return [position for position, sample in enumerate(samples) if field in sample]
