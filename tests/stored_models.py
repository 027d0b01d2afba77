"""Models whose frozen weights are stored in bfloat16, and a step of theirs."""

from __future__ import annotations

from copy import deepcopy

import torch
from small_models import METHODS, NUM_CLASSES, clouds
from torch import Tensor, nn
from torch.nn import functional as F

from point_peft.methods.frozen_storage import store_frozen
from point_peft.models import PointClassifier

LORA = [*METHODS['lora'], dict(type='SelectiveTuning', biases=False, final_norm=False, prefix=True)]
POINTS = clouds(8, seed=9)


def stored(model: PointClassifier) -> PointClassifier:
    """The same model with frozen weights in bfloat16."""
    model = deepcopy(model)
    store_frozen(model.backbone.backbone, model.backbone.methods, 'bfloat16')
    return model


def step(model: nn.Module, dtype: torch.dtype | None) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits, and the gradients of what is trained."""
    torch.manual_seed(0)
    with torch.autocast('cpu', dtype=dtype or torch.bfloat16, enabled=dtype is not None):
        output = model(dict(points=POINTS))
        loss = F.cross_entropy(output, torch.arange(8) % NUM_CLASSES)
    model.zero_grad()
    loss.backward()
    return output.detach(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
