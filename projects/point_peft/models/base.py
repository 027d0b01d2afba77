"""The model of a task: a backbone, plain or tuned, and a head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from ..heads import Head
from ..io.errors import InvalidValueError
from ..structures import BackboneFeatures
from .owner import BackboneOwner, build_backbone, build_for

MODES = ('tensor', 'loss', 'predict')


class TunedModel(BackboneOwner, BaseModel):
    """Base of task models; the task is in the head.

    Args:
        backbone (dict): Config of a plain backbone.
        head (dict): Config of the head (a :class:`~..heads.Head`).
        peft (dict | None): Config of the wrapper that freezes and tunes the backbone (``PEFTBackbone``); None means
            full fine-tuning.
        auxiliary_head (dict | None): Config of a head with a further loss for training (``GenerationHead``).
        data_preprocessor (dict | None): Config of the data preprocessor.
    """

    _compiled: Callable[..., tuple[Any, BackboneFeatures]] | None = None

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
        self.head: Head = build_for(self.backbone, head)
        self.auxiliary_head = build_for(self.backbone, auxiliary_head) if auxiliary_head else None

    def forward(
        self, inputs: dict[str, Tensor], data_samples: Sequence[Any] | None = None, mode: str = 'tensor'
    ) -> Any:
        """Run the model.

        Args:
            inputs (dict): ``points`` (B, N, 3), and what else the head wants of each cloud.
            data_samples (Sequence | None): Annotations; needed for ``mode='loss'``.
            mode (str): ``tensor`` for raw logits, ``loss`` for a dict of losses, ``predict`` for data samples with
                predictions.

        Raises:
            ValueError: If the mode is unknown, or the head misses an input.
        """
        if mode not in MODES:
            raise InvalidValueError(
                f"mode={mode!r} is unknown to {type(self).__name__}; use 'tensor', 'loss' or 'predict'."
            )
        known = self._places(inputs['points'], data_samples)
        if self.training and self._compiled:
            # CUDA graphs use the memory of one step again in the next.
            torch.compiler.cudagraph_mark_step_begin()
            logits, features = self._compiled(self, inputs, known)
        else:
            logits, features = self._compute(inputs, known)
        if mode == 'tensor':
            return logits
        if mode == 'predict':
            return self.head.to_samples(logits, inputs, data_samples)
        assert data_samples is not None
        return {**self.head.loss(logits, data_samples), **self.auxiliary_loss(features)}

    def compile_training(self, **settings: Any) -> None:
        """Let ``torch.compile`` compute the logits of training, forward and backward, one graph per shape of a batch.

        In eval mode nothing is compiled.

        Args:
            settings: Arguments of ``torch.compile``.

        Raises:
            ValueError: The backbone has a ``saved_dtype``, which compiled graphs know nothing of.
        """
        if getattr(self.backbone, 'saved_dtype', None) is not None:
            raise InvalidValueError(
                'a compiled training chooses itself what it saves for the backward, so model.peft.saved_dtype would do '
                'nothing; leave it or compile out.'
            )
        # Of the class and not of this model, so that a copy of it does not compute with the weights of this one.
        self._compiled = torch.compile(TunedModel._compute, **{'dynamic': False, **settings})

    def _compute(self, inputs: dict[str, Tensor], known: dict[str, Tensor]) -> tuple[Any, BackboneFeatures]:
        """Logits, and the features they are of."""
        features = self.backbone(inputs['points'], hidden_layers=self.head.hidden_layers, **known)
        return self.head(features, inputs), features

    def _places(self, points: Tensor, data_samples: Sequence[Any] | None) -> dict[str, Tensor]:
        """Where in the training set the clouds are, for a backbone that asks for it in training."""
        if not (self.training and data_samples and getattr(self.backbone, 'reads_sample_index', False)):
            return {}
        places = torch.tensor([sample.sample_idx for sample in data_samples])
        return dict(sample_index=places.to(points.device, non_blocking=True))

    def auxiliary_loss(self, features: BackboneFeatures) -> dict[str, Tensor]:
        """Losses of the auxiliary head; none without one."""
        return self.auxiliary_head.loss(features) if self.auxiliary_head is not None else {}
