"""What heads ask of a tuned backbone, and its backbone answers."""

from __future__ import annotations

from collections.abc import Sequence

from ..backbones import PointBackbone


class SizesOfBackbone:
    """The sizes of ``backbone``, but for the number of prefix tokens, which tuning methods may add to."""

    backbone: PointBackbone

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
