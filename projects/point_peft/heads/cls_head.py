"""The classification head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones import AnyBackbone
from ..backbones.layers import BatchNorm1d
from ..io.errors import InvalidValueError
from ..io.shipped import call_of
from ..registry import MODELS
from ..structures import BackboneFeatures, PointDataSample
from .base import Head, given_or_new
from .pooling import pool_tokens, pooled_width

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {'relu': partial(nn.ReLU, inplace=True), 'gelu': nn.GELU}


@MODELS.register_module()
class PointClsHead(Head):
    """Pool the tokens and classify them with an MLP.

    The default is Point-MAE's head (``cls_head_finetune``: class token and max-pooled tokens, two hidden layers of
    256). ``hidden_dims=()`` gives the linear classifier of linear probing, behind a batch norm without affine
    parameters that puts frozen features on one scale.

    Args:
        backbone (AnyBackbone): The backbone.
        num_classes (int): Number of classes.
        pool (Sequence[str]): Parts of the pooled feature, in order: see :func:`pool_tokens`.
        hidden_dims (Sequence[int]): Hidden widths.
        batch_norm (bool): Whether hidden layers have a batch norm; Point-BERT: no.
        token_norm (bool): Whether the tokens go through a layer norm of the head before they are pooled; PointGPT: yes.
        activation (str): Of hidden layers, out of :data:`ACTIVATIONS`; PPT: ``gelu``.
        dropout (float): Dropout after every hidden layer.
        label_smoothing (float): Smoothing of the cross-entropy targets.
    """

    def __init__(
        self,
        backbone: AnyBackbone,
        num_classes: int,
        *,
        pool: Sequence[str] = ('prefix', 'max'),
        hidden_dims: Sequence[int] = (256, 256),
        batch_norm: bool = True,
        token_norm: bool = False,
        activation: str = 'relu',
        dropout: float = 0.5,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if num_classes is None:  # as the config of data that are not there has it
            raise InvalidValueError(
                'num_classes of the head is not known: set data_root to the directory of your classes '
                f'({call_of("train.py")} --data), or num_classes.'
            )
        self.num_classes = num_classes
        self.pool = tuple(pool)
        self.label_smoothing = label_smoothing
        self.cls_norm = nn.LayerNorm(backbone.embed_dim) if token_norm else None
        num_tokens = (backbone.num_prefix_tokens, backbone.num_kept_tokens)
        dims = [pooled_width(self.pool, backbone.embed_dim, *num_tokens), *hidden_dims]
        layers: list[nn.Module] = [] if hidden_dims else [BatchNorm1d(dims[0], affine=False)]
        for before, after in zip(dims, dims[1:]):
            layers += [
                nn.Linear(before, after),
                *([BatchNorm1d(after)] if batch_norm else []),
                _activation(activation),
                nn.Dropout(dropout),
            ]
        self.cls_head_finetune = nn.Sequential(*layers, nn.Linear(dims[-1], num_classes))

    def forward(self, features: BackboneFeatures, inputs: dict[str, Tensor]) -> Tensor:
        """Return logits (B, num_classes), which autocast does not round."""
        if self.cls_norm is not None:
            patches, prefix = self.cls_norm(features.patches), self.cls_norm(features.prefix)
            features = replace(features, patches=patches, prefix=prefix)
        pooled = pool_tokens(features, self.pool)
        # The work of one token among hundreds, but half of the error of the logits if it were rounded.
        with torch.autocast(pooled.device.type, enabled=False):
            return self.cls_head_finetune(pooled.to(next(self.cls_head_finetune.parameters()).dtype))

    def loss(self, logits: Tensor, data_samples: Sequence[PointDataSample]) -> dict[str, Tensor]:
        """Cross-entropy of logits (B, num_classes) against ``gt_label``.

        Raises:
            ValueError: If a label is outside ``[0, num_classes)``.
        """
        labels = self._labels(data_samples).to(logits.device, non_blocking=True)
        return {'loss': F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)}

    def to_samples(
        self, logits: Tensor, inputs: dict[str, Tensor], data_samples: Sequence[PointDataSample] | None
    ) -> list[PointDataSample]:
        """Write ``pred_scores`` and ``pred_label`` into data samples (new ones for None)."""
        scores = logits.softmax(dim=-1)
        labels = scores.argmax(dim=-1)
        samples = given_or_new(data_samples, len(scores))
        for sample, score, label in zip(samples, scores, labels):
            sample.pred_scores, sample.pred_label = score, label
        return samples

    def _labels(self, data_samples: Sequence[PointDataSample]) -> Tensor:
        """Stack the labels (B,); they are still on the CPU, so checking them does not stall the device."""
        labels = torch.stack([sample.gt_label for sample in data_samples])
        if labels.device.type == 'cpu' and bool(((labels < 0) | (labels >= self.num_classes)).any()):
            wrong = next(s for s in data_samples if not 0 <= int(s.gt_label) < self.num_classes)
            raise InvalidValueError(
                f"label {int(wrong.gt_label)} of {wrong.get('source', 'a sample')} is outside the head's "
                f"{self.num_classes} classes; set model.head.num_classes to the dataset's number of classes."
            )
        return labels


def _activation(name: str) -> nn.Module:
    """Build an activation by its name.

    Raises:
        ValueError: If there is none of that name.
    """
    if name not in ACTIVATIONS:
        raise InvalidValueError(f'activation={name!r} is unknown; choose among {sorted(ACTIVATIONS)}.')
    return ACTIVATIONS[name]()
