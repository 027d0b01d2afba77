"""ACT (Dong et al., ICLR 2023, arXiv 2212.08320): Point-MAE's network, taught by a cross-modal autoencoder."""

from __future__ import annotations

from ..registry import MODELS
from .plain_transformer import PlainTransformer


@MODELS.register_module()
class ACT(PlainTransformer):
    """The ACT encoder as it is fine-tuned.

    Of a pre-training checkpoint the ``ACT_encoder.`` part is used, class token included.

    Args:
        kwargs: As :class:`PlainTransformer`; 128 groups for ScanObjectNN, 64 for ModelNet.
    """

    checkpoint_prefixes = ('ACT_encoder.',)
    prefix_is_pretrained = True
