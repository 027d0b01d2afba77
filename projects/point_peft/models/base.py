"""What all task models share: a backbone, plain or tuned, and heads."""

from __future__ import annotations

from typing import Any

from mmengine.model import BaseModel
from torch import Tensor

from ..structures import BackboneFeatures
from .owner import BackboneOwner, build_backbone, build_for_backbone


class TunedModel(BackboneOwner, BaseModel):
    """Base of task models.

    Heads are told the backbone's ``embed_dim``, or what else they name in the class attribute ``backbone_facts``.

    Args:
        backbone (dict): Config of a plain backbone.
        head (dict): Config of the head.
        peft (dict | None): Config of the wrapper that freezes and tunes the backbone (``PEFTBackbone``); None means
            full fine-tuning.
        auxiliary_head (dict | None): Config of a head with a further loss for training (``GenerationHead``).
        data_preprocessor (dict | None): Config of the data preprocessor.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        head: dict[str, Any],
        *,
        peft: dict[str, Any] | None = None,
        auxiliary_head: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.backbone = build_backbone(backbone, peft)
        self.head = self._build_head(head)
        self.auxiliary_head = self._build_head(auxiliary_head) if auxiliary_head else None

    def _build_head(self, head: dict[str, Any]) -> Any:
        """Build a head for this backbone; what its config says goes first."""
        num_prefix = getattr(self.backbone, 'num_prefix_tokens', 1)  # networks of the release mode do not say
        facts = dict(embed_dim=self.backbone.embed_dim, num_prefix_tokens=num_prefix)
        return build_for_backbone(head, facts)

    def auxiliary_loss(self, features: BackboneFeatures) -> dict[str, Tensor]:
        """Losses of the auxiliary head; none without one."""
        return self.auxiliary_head.loss(features) if self.auxiliary_head is not None else {}
