"""Point-MAE computes what the published code computes: fine-tuned, pre-trained, and as the prior of Point-PEFT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import golden_inputs
import numpy as np
import pytest
import torch
from mmengine.model import BaseModel

from point_peft.engine.config import load_config
from point_peft.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'

precisions = pytest.mark.parametrize(
    ('dtype', 'name', 'tolerance'),
    [(torch.float32, 'B_f32', 1e-5), (torch.float64, 'B_f64', 1e-9)],
    ids=['f32', 'f64'],
)


@precisions
@pytest.mark.parametrize(
    ('key', 'num_points', 'size'),
    [('pointmae_cls', 2048, 22_093_327), ('pointmae_cls_modelnet', 1024, 22_099_752)],
)
def test_classification(
    golden_model: Callable[[str], BaseModel],
    key: str,
    num_points: int,
    size: int,
    dtype: torch.dtype,
    name: str,
    tolerance: float,
) -> None:
    """Logits of the fine-tuned models for ScanObjectNN and ModelNet40."""
    model = golden_model(key).to(dtype)
    assert sum(p.numel() for p in model.parameters()) == size == golden_inputs.description(key)['params0']
    with torch.no_grad():
        found = model(dict(points=golden_inputs.clouds(num_points).to(dtype)), mode='tensor').numpy()
    np.testing.assert_allclose(found, golden_inputs.outputs(key)[f'{name}/logits'], atol=tolerance, rtol=0)


@precisions
def test_prior_feature(
    golden_model: Callable[[str], BaseModel], dtype: torch.dtype, name: str, tolerance: float
) -> None:
    """The descriptor of the pre-trained encoder, on 64 groups."""
    model = golden_model('pointmae_prior_eval').to(dtype)
    assert sum(p.numel() for p in model.parameters()) == 29_006_432
    with torch.no_grad():
        found = model(dict(points=golden_inputs.clouds().to(dtype)), mode='tensor').numpy()
    expected = golden_inputs.outputs('pointmae_prior_eval')[f'{name}/feat']
    np.testing.assert_allclose(found, expected, atol=tolerance, rtol=0)


@precisions
def test_pretraining_loss(
    golden_model: Callable[[str], BaseModel], dtype: torch.dtype, name: str, tolerance: float
) -> None:
    """The masked autoencoder's loss with the golden mask."""
    key = 'pointmae_pretrain_loss'
    shapes = golden_inputs.description(key)['state0']
    assert shapes == golden_inputs.description('pointmae_prior_eval')['state0']  # one model gives both
    model = golden_model('pointmae_prior_eval').to(dtype)
    inputs = dict(points=golden_inputs.clouds().to(dtype), mask=golden_inputs.pretraining_mask())
    with torch.no_grad():
        found = model(inputs, mode='loss')['loss'].item()
    assert found == pytest.approx(golden_inputs.outputs(key)[f'{name}/loss'].item(), abs=tolerance, rel=0)


def test_prior_inside_the_tuned_backbone(convert: Callable[[str], Path]) -> None:
    """In ``paper`` mode the prior is the same network: the first 64 of 128 groups give the golden descriptor.

    The pre-trained file is loaded through the config's ``init_cfg``.
    """
    cfg = load_config(CONFIGS / 'point_peft' / 'pointmae_scanobjnn.py')
    cfg.model.backbone.init_cfg.checkpoint = str(convert('pointmae_prior_eval'))
    model = MODELS.build(cfg.model)
    model.init_weights()
    wrapper = model.double().eval().backbone
    assert wrapper.backbone.num_groups == 128 and wrapper.methods[0].num_prior_groups == 64
    with torch.no_grad():
        for name in wrapper.tuned_names:  # the prior must not see what training does to these
            wrapper.backbone.get_parameter(name).add_(0.1)
        tokens = wrapper.backbone.embed(golden_inputs.clouds().double())
    found = wrapper.pretrained_summary(tokens.first(64)).numpy()
    expected = golden_inputs.outputs('pointmae_prior_eval')['B_f64/feat']
    np.testing.assert_allclose(found, expected, atol=1e-9, rtol=0)
