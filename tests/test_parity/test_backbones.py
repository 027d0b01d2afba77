"""Fine-tuned models on all backbones compute what the published code computes, through converter and ``init_model``."""

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

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'full'

SIZES = {
    'pointbert_cls': 22_065_960,
    'pointm2ae_cls': 12_921_935,
    'pointm2ae_cls_modelnet': 12_830_056,
    'recon_cls': 43_571_215,
    'pointgpt_s_cls': 29_232_335,
}

precisions = pytest.mark.parametrize(
    ('dtype', 'name', 'tolerance'),
    [(torch.float32, 'B_f32', 1e-5), (torch.float64, 'B_f64', 1e-9)],
    ids=['f32', 'f64'],
)


def size_of(model: torch.nn.Module) -> int:
    """Number of parameters, trained or not."""
    return sum(p.numel() for p in model.parameters())


@precisions
@pytest.mark.parametrize('key', SIZES)
def test_logits(
    golden_model: Callable[[str], BaseModel], key: str, dtype: torch.dtype, name: str, tolerance: float
) -> None:
    """Logits with the golden weights, and the published number of parameters."""
    model = golden_model(key).to(dtype)
    assert size_of(model) == SIZES[key] == golden_inputs.description(key)['params0']
    points = golden_inputs.clouds(1024 if key.endswith('_modelnet') else 2048).to(dtype)
    with torch.no_grad():
        found = model(dict(points=points), mode='tensor').numpy()
    np.testing.assert_allclose(found, golden_inputs.outputs(key)[f'{name}/logits'], atol=tolerance, rtol=0)


@precisions
def test_generation_loss(
    golden_model: Callable[[str], BaseModel], dtype: torch.dtype, name: str, tolerance: float
) -> None:
    """PointGPT's second output: the loss of its generator, whose weight in training is 3."""
    model = golden_model('pointgpt_s_cls').to(dtype)
    with torch.no_grad():
        features = model.backbone(golden_inputs.clouds().to(dtype))
        loss = model.auxiliary_head.loss(features)['loss_generation']
    assert model.auxiliary_head.loss_weight == 3.0
    expected = golden_inputs.outputs('pointgpt_s_cls')[f'{name}/out1'].item()
    assert loss.item() / 3.0 == pytest.approx(expected, abs=tolerance, rel=0)


@pytest.mark.parametrize(
    ('config', 'size'),
    [('pointgpt_b_scanobjnn.py', 120_461_263), ('pointgpt_l_scanobjnn.py', 360_457_679)],
)
def test_large_models(config: str, size: int) -> None:
    """PointGPT-B and -L have the published number of parameters; nothing is allocated for that."""
    cfg = load_config(CONFIGS / config)
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert size_of(model) == size
    assert model.head.num_classes == 15


def test_act_is_point_mae() -> None:
    """ACT has no golden output: its fine-tuned network is Point-MAE's, so it has its size and names."""
    models = []
    for name in ('act', 'pointmae'):
        with torch.device('meta'):
            models.append(MODELS.build(load_config(CONFIGS / f'{name}_scanobjnn.py').model))
    shapes = [{name: value.shape for name, value in model.state_dict().items()} for model in models]
    assert shapes[0] == shapes[1]
    assert size_of(models[0]) == 22_093_327
