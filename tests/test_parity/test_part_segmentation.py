"""Part segmentation models compute what the published code computes, through converter and ``init_model``."""

from __future__ import annotations

from collections.abc import Callable

import golden_inputs
import numpy as np
import pytest
import torch
from mmengine.model import BaseModel

SIZES = {
    'pointmae_partseg': 27_063_730,
    'pointbert_partseg': 27_085_874,
    'pointm2ae_partseg': 25_474_354,
    'recon_partseg': 48_542_386,
    'pointgpt_s_partseg': 34_202_738,
}

CATEGORIES, NUM_KEPT = (3, 11), 256
"""Categories of the two clouds, and the points of which the golden outputs are kept."""

precisions = pytest.mark.parametrize(
    ('dtype', 'name', 'tolerance'),
    [(torch.float32, 'B_f32', 1e-5), (torch.float64, 'B_f64', 1e-9)],
    ids=['f32', 'f64'],
)


@precisions
@pytest.mark.parametrize('key', SIZES)
def test_log_probabilities(
    golden_model: Callable[[str], BaseModel], key: str, dtype: torch.dtype, name: str, tolerance: float
) -> None:
    """Logits over the 50 parts, and the published number of parameters.

    Whatever the published code calls its output, it is the logarithm of the softmax.
    """
    model = golden_model(key).to(dtype)
    size = sum(p.numel() for p in model.parameters())
    assert size == SIZES[key] == golden_inputs.description(key)['params0']
    inputs = dict(points=golden_inputs.clouds().to(dtype), category=torch.tensor(CATEGORIES))
    with torch.no_grad():
        logits = model(inputs, mode='tensor')
    assert logits.shape == (2, 2048, 50)
    (expected,) = (v for k, v in golden_inputs.outputs(key).items() if k.startswith(f'{name}/log'))
    found = logits.log_softmax(dim=-1)[:, :NUM_KEPT].numpy()
    np.testing.assert_allclose(found, expected, atol=tolerance, rtol=0)
