"""Point-BERT (Yu et al., CVPR 2022, arXiv 2111.14819): a plain transformer, pre-trained to predict point tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ..registry import MODELS
from .layers import PatchEmbed
from .layers.init import init_transformer
from .plain_transformer import PlainTransformer


@MODELS.register_module()
class PointBERT(PlainTransformer):
    """The Point-BERT encoder as it is fine-tuned: groups are embedded in fewer channels, then brought to C.

    Of a pre-training checkpoint the query network ``transformer_q.`` is used, class token included.

    Args:
        patch_dim (int): Channels of the embedded groups, as the tokenizer of the pre-training has.
        kwargs: As :class:`PlainTransformer`; 64 groups for ScanObjectNN and ModelNet.
    """

    checkpoint_prefixes = ('transformer_q.',)
    prefix_is_pretrained = True

    def __init__(self, *, patch_dim: int = 256, num_groups: int = 64, **kwargs: Any) -> None:
        self.patch_dim = patch_dim
        super().__init__(num_groups=num_groups, **kwargs)
        self.reduce_dim = nn.Linear(patch_dim, self.embed_dim)
        init_transformer(self.reduce_dim)

    def build_patch_embed(self, patch_dims: Sequence[int]) -> PatchEmbed:
        """Build the embedding of groups."""
        return PatchEmbed(self.patch_dim, hidden_dims=patch_dims)

    def embed_groups(self, neighborhoods: Tensor) -> Tensor:
        """Embed groups (B, G, K, 3) and bring them to C channels: (B, G, C)."""
        return self.reduce_dim(self.encoder(neighborhoods))
