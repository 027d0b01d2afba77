"""Point-MAE (Pang et al., ECCV 2022, arXiv 2203.06604): a plain transformer over groups of points."""

from __future__ import annotations

from typing import Any

from ..registry import MODELS
from .plain_transformer import PlainTransformer


@MODELS.register_module()
class PointMAE(PlainTransformer):
    """The Point-MAE encoder as it is fine-tuned: class token, patch tokens, positions added before every block.

    Of a pre-training checkpoint the ``MAE_encoder.`` part is used; the class token is not in it.

    Args:
        class_token (bool): Whether there is a class token; the pre-training encoder has none.
        kwargs: As :class:`PlainTransformer`; 128 groups for ScanObjectNN, 64 for ModelNet.
    """

    checkpoint_prefixes = ('MAE_encoder.',)

    def __init__(self, *, class_token: bool = True, **kwargs: Any) -> None:
        self.prefix_names = ('cls',) if class_token else ()
        super().__init__(**kwargs)
