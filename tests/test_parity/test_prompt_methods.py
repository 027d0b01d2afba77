"""IDPT, DAPT and PPT compute what the published code computes, through converter and ``init_model``."""

from __future__ import annotations

from collections.abc import Callable

import golden_inputs
import numpy as np
import pytest
import torch
from mmengine.model import BaseModel

CATEGORIES, NUM_KEPT = (3, 11), 256
"""Categories of the two clouds, and the points of which the golden outputs are kept."""

UNTRAINED_NORMS = {'idpt_partseg': 3 * 768}
"""Parameters of batch norms that exist in the published code, but take no part."""

NEIGHBORS_TIE = {'idpt_cls': 1e-3}
"""Tolerances in float32 where neighbours in feature space are so near to each other that rounding chooses."""

precisions = pytest.mark.parametrize(
    ('dtype', 'name', 'tolerance'),
    [(torch.float32, 'B_f32', 1e-5), (torch.float64, 'B_f64', 1e-9)],
    ids=['f32', 'f64'],
)


def check_size(model: BaseModel, key: str) -> None:
    """As many parameters as published."""
    size = sum(p.numel() for p in model.parameters())
    assert size == golden_inputs.description(key)['params0'] - UNTRAINED_NORMS.get(key, 0)


@precisions
@pytest.mark.parametrize('key', ['dapt_cls', 'idpt_cls', 'ppt_cls'])
def test_logits(
    golden_model: Callable[[str], BaseModel], key: str, dtype: torch.dtype, name: str, tolerance: float
) -> None:
    """Logits with the golden weights."""
    model = golden_model(key).to(dtype)
    check_size(model, key)
    with torch.no_grad():
        found = model(dict(points=golden_inputs.clouds().to(dtype)), mode='tensor').numpy()
    if dtype == torch.float32:
        tolerance = NEIGHBORS_TIE.get(key, tolerance)
    np.testing.assert_allclose(found, golden_inputs.outputs(key)[f'{name}/logits'], atol=tolerance, rtol=0)


@precisions
@pytest.mark.parametrize('key', ['idpt_partseg', 'ppt_partseg'])
def test_log_probabilities(
    golden_model: Callable[[str], BaseModel], key: str, dtype: torch.dtype, name: str, tolerance: float
) -> None:
    """Logarithms of the probabilities of the 50 parts."""
    model = golden_model(key).to(dtype)
    check_size(model, key)
    inputs = dict(points=golden_inputs.clouds().to(dtype), category=torch.tensor(CATEGORIES))
    with torch.no_grad():
        found = model(inputs, mode='tensor').log_softmax(dim=-1)[:, :NUM_KEPT].numpy()
    (expected,) = (v for k, v in golden_inputs.outputs(key).items() if k.startswith(f'{name}/log'))
    np.testing.assert_allclose(found, expected, atol=tolerance, rtol=0)
