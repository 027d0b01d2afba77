"""PointLoRA computes what is published; compared in float64, as scores that tie in float32 select other tokens."""

from __future__ import annotations

from collections.abc import Callable

import golden_inputs
import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from torch import Tensor

KEY = 'pointlora_cls'
NUM_FACTORS = 24
"""Frozen factors of the branches, which the published code counts as parameters."""


def test_logits_and_scores(golden_model: Callable[[str], BaseModel]) -> None:
    """Logits, and the sum over scores whose gradient alone trains the published predictor."""
    model = golden_model(KEY).double()
    scores: list[Tensor] = []
    handle = model.backbone.methods[0].predictor.register_forward_hook(
        lambda _, args, out: scores.append(out.sigmoid())
    )
    with torch.no_grad():
        found = model(dict(points=golden_inputs.clouds().double()), mode='tensor').numpy()
    handle.remove()
    model.float()
    golden = golden_inputs.outputs(KEY)
    np.testing.assert_allclose(found, golden['B_f64/logits'], atol=1e-9, rtol=0)
    fine, coarse = ((p * (p + 1e-6).log() + (1 - p) * (1 - p + 1e-6).log()).mean().item() for p in scores)
    assert fine + coarse / 4 == pytest.approx(golden['B_f64/out1'].item(), abs=1e-9, rel=0)


def test_sizes(golden_model: Callable[[str], BaseModel]) -> None:
    """As many parameters as published, and 772 752 of them are trained."""
    model = golden_model(KEY)
    count = sum(p.numel() for p in model.parameters())
    assert count == golden_inputs.description(KEY)['params0'] - NUM_FACTORS
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 772_752
