"""``release`` of GAPrompt computes what the published code computes, quirks included, and trains what it trains."""

from __future__ import annotations

from collections.abc import Callable

import golden_inputs
import numpy as np
import pytest
import torch
from mmengine.model import BaseModel

KEY = 'gaprompt_cls'
NUM_SCALERS = 24
"""Frozen numbers in the published model that nothing reads."""


@pytest.mark.parametrize(
    ('dtype', 'name', 'tolerance'), [(torch.float32, 'f32', 1e-5), (torch.float64, 'f64', 1e-9)]
)
def test_logits(
    golden_model: Callable[[str], BaseModel], dtype: torch.dtype, name: str, tolerance: float
) -> None:
    """Logits of a batch of two, of which the second depends on the first, as published."""
    model, points = golden_model(KEY).to(dtype), golden_inputs.clouds().to(dtype)
    with torch.no_grad():
        found = model(dict(points=points), mode='tensor')
        alone = model(dict(points=points[1:]), mode='tensor')
    model.float()
    expected = golden_inputs.outputs(KEY)[f'B_{name}/logits']
    np.testing.assert_allclose(found.numpy(), expected, atol=tolerance, rtol=0)
    assert (found[1] - alone[0]).abs().max() > 1e-3


def test_sizes(golden_model: Callable[[str], BaseModel]) -> None:
    """As many parameters as published, of which 628 147 are trained."""
    model = golden_model(KEY)
    assert (
        sum(p.numel() for p in model.parameters()) == golden_inputs.description(KEY)['params0'] - NUM_SCALERS
    )
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 628_147
