"""What every head of a task has, so that one model serves all tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor

from ..backbones import AnyBackbone, decoder_widths
from ..structures import BackboneFeatures, PointDataSample


class Head(BaseModule, ABC):
    """Base of heads: from a backbone's features to logits, from logits to a loss or to predictions.

    The model builds a head with its backbone as the argument ``backbone``, plain or tuned, which the head asks for the
    sizes that it needs; it must not keep it. All other arguments are the config's.
    """

    hidden_layers: Sequence[int] = ()
    """Blocks whose tokens ``forward`` finds in ``features.hidden``; none for what is behind the last block."""

    @abstractmethod
    def forward(self, features: BackboneFeatures, inputs: dict[str, Tensor]) -> Tensor:
        """Compute logits.

        Args:
            features (BackboneFeatures): What the backbone gives for a batch.
            inputs (dict): The model's inputs: ``points`` (B, N, 3), and what else the task has of each cloud.
        """

    @abstractmethod
    def loss(self, logits: Tensor, data_samples: Sequence[Any]) -> dict[str, Tensor]:
        """Losses of logits by name, against the annotations of data samples."""

    @abstractmethod
    def to_samples(
        self, logits: Tensor, inputs: dict[str, Tensor], data_samples: Sequence[Any] | None
    ) -> list[Any]:
        """Write what logits say into data samples, into new ones for None."""


class DecoderHead(Head):
    """Base of heads that decode the tokens of the blocks that the backbone names for decoders.

    Args:
        backbone (AnyBackbone): The backbone.
    """

    def __init__(self, backbone: AnyBackbone) -> None:
        super().__init__()
        self.stages = [tuple(layers) for layers in backbone.decoder_layers]
        self.stage_widths = decoder_widths(backbone)
        self.hidden_layers = tuple(layer for layers in self.stages for layer in layers)


def given_or_new(data_samples: Sequence[Any] | None, count: int) -> list[Any]:
    """The data samples as a list; for None ``count`` new ones."""
    return [PointDataSample() for _ in range(count)] if data_samples is None else list(data_samples)
