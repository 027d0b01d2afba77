"""What heads ask of a tuned backbone, and its backbone and methods answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..backbones import PointBackbone
from .base import TuningMethod


class SizesOfBackbone:
    """The sizes of ``backbone``, but for the number of prefix tokens, which tuning methods may add to."""

    backbone: PointBackbone
    methods: Iterable[TuningMethod]

    @property
    def num_prefix_tokens(self) -> int:
        """Number P of prefix tokens that a head gets: the backbone's, and those of methods that stay."""
        return self.backbone.num_prefix_tokens + self.num_kept_tokens

    @property
    def num_kept_tokens(self) -> int:
        """How many of them are tokens of methods that stay."""
        return sum(method.num_kept_tokens for method in self.methods)

    @property
    def reads_sample_index(self) -> bool:
        """Whether training needs to be told which clouds of the training set it is given."""
        return any(method.reads_sample_index for method in self.methods)

    @property
    def embed_dim(self) -> int:
        """Token dimension C."""
        return self.backbone.embed_dim

    @property
    def num_groups(self) -> int:
        """Groups G per cloud."""
        return self.backbone.num_groups

    @property
    def layer_dims(self) -> Sequence[int]:
        """Token dimension of every block."""
        return self.backbone.layer_dims

    @property
    def decoder_layers(self) -> Sequence[Sequence[int]]:
        """Blocks that decoders read, for every stage."""
        return self.backbone.decoder_layers

    @property
    def tunes_embedding(self) -> bool:
        """Whether what embeds the groups is trained."""
        return any(method.tunes_embedding for method in self.methods)
