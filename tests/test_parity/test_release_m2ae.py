"""``release`` mode on Point-M2AE computes what the released Point-PEFT computes and trains what it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import golden_inputs
import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from numpy import ndarray
from torch import Tensor
from torch.nn import functional as F

from point_peft.engine.checkpoint import load_weights

KEY = 'pointpeft_m2ae'
PRIOR_KEY = 'pointm2ae_prior_eval'
BLOCKS = (0, 5, 6, 11, 14)
LABELS = (3, 11)
PRECISIONS = {'f32': (torch.float32, 1e-5), 'f64': (torch.float64, 1e-9)}
STORAGE = 2.0**-24
"""Relative error of the golden block outputs, which are kept in float32."""

Outputs = Mapping[str, Tensor]


@pytest.fixture(scope='module', params=PRECISIONS)
def run(
    request: pytest.FixtureRequest, golden_model: Callable[[str], BaseModel]
) -> tuple[str, float, Outputs]:
    """Everything that is compared, in one precision: its name, tolerance and outputs."""
    dtype, tolerance = PRECISIONS[request.param]
    model = golden_model(KEY).to(dtype)
    backbone, points = model.backbone, golden_inputs.clouds().to(dtype)
    found: dict[str, Tensor] = {}
    with torch.no_grad():
        features = backbone(points, hidden_layers=range(15))
        found['logits'] = model.head(features, {})
        found |= {f'block{index}': tokens for index, tokens in features.hidden.items()}
        summaries = backbone.prior.stage_summaries(backbone.prior.embed(points))
        found |= {f'cp_feat{stage}': summary for stage, summary in enumerate(summaries)}
        found['logits_b1'] = _one_by_one(model, points, summaries[-1])
    model.float()
    return request.param, tolerance, found


def _one_by_one(model: BaseModel, points: Tensor, summaries: Tensor) -> Tensor:
    """Logits of each cloud alone with the descriptor (B, C) that it has in the batch.

    This is how the golden ones were made: the descriptor depends on the batch too, and was computed first.
    """
    prior = model.backbone.prior
    logits = []
    for cloud, summary in zip(points.split(1), summaries.split(1)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(prior, 'summarize', lambda _, summary=summary: summary)
            logits.append(model(dict(points=cloud)))
    return torch.cat(logits)


@pytest.mark.parametrize('output', ['logits', 'logits_b1', 'cp_feat0', 'cp_feat1', 'cp_feat2'])
def test_values(run: tuple[str, float, Outputs], output: str) -> None:
    """Logits in the golden batch and alone; the prior's descriptors of all stages."""
    precision, tolerance, found = run
    expected = golden_inputs.outputs(KEY)[f'B_{precision}/{output}']
    np.testing.assert_allclose(found[output].numpy(), expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize('index', BLOCKS)
def test_blocks(run: tuple[str, float, Outputs], index: int) -> None:
    """Tokens after blocks of every stage.

    The golden ones come from float64 and are kept in float32. Tokens are not normed here and reach 186, so in
    float32 the tolerance is relative to the largest.
    """
    precision, tolerance, found = run
    expected = golden_inputs.outputs(KEY)[f'B_f64/block{index}[:, :24, :48]']
    ours = found[f'block{index}'][:, :24, :48].numpy()
    if precision == 'f32':
        tolerance *= np.abs(expected).max()
    np.testing.assert_allclose(ours, expected, atol=tolerance, rtol=STORAGE if precision == 'f64' else 0)


def test_cross_sample_gather(run: tuple[str, float, Outputs]) -> None:
    """The released bug is there: the first cloud's logits do not depend on the batch, the second's do."""
    difference = (run[2]['logits'] - run[2]['logits_b1']).abs().amax(dim=1)
    assert difference[0] < 1e-5 and difference[1] > 1e-2


@pytest.mark.parametrize('precision', PRECISIONS)
def test_descriptor(golden_model: Callable[[str], BaseModel], precision: str) -> None:
    """The prior as a model of its own, from the official pre-training file."""
    dtype, tolerance = PRECISIONS[precision]
    model = golden_model(PRIOR_KEY).to(dtype)
    with torch.no_grad():
        found = model(dict(points=golden_inputs.clouds().to(dtype)))
    model.float()
    expected = golden_inputs.outputs(PRIOR_KEY)[f'B_{precision}/feat2']
    np.testing.assert_allclose(found.numpy(), expected, atol=tolerance, rtol=0)


def test_sizes(golden_model: Callable[[str], BaseModel]) -> None:
    """661 046 of 13 287 798 parameters are trained by the published rule, the prior counted apart."""
    model = golden_model(KEY)
    own = [p.numel() for name, p in model.named_parameters() if not name.startswith('backbone.prior.')]
    assert sum(own) == golden_inputs.description(KEY)['params0'] == 13_287_798
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 661_046
    assert sum(p.numel() for p in model.backbone.prior.parameters()) == 12_654_976


@pytest.mark.parametrize('rule', golden_inputs.RULES)
def test_gradients(golden_model: Callable[[str], BaseModel], convert: Callable[..., Path], rule: str) -> None:
    """Loss, and of every trained tensor the gradient's norm and its projection on a fixed direction, in float64."""
    model = golden_model(KEY).double()
    load_weights(model, convert(KEY, rule))
    golden: Mapping[str, ndarray] = golden_inputs.outputs('grad_pointpeft_m2ae')
    model.zero_grad(set_to_none=True)
    logits = model(dict(points=golden_inputs.clouds().double()))
    loss = F.cross_entropy(logits, torch.tensor(LABELS))
    loss.backward()
    assert loss.item() == pytest.approx(golden[f'{rule}/loss'].item(), abs=1e-9, rel=0)

    parameters = {_published(name): p for name, p in model.named_parameters() if p.requires_grad}
    names, norms, probes = (golden[f'{rule}/{field}'] for field in ('names', 'grad_norm', 'grad_probe'))
    assert sorted(parameters) == sorted(names)
    for name, norm, probe in zip(names, norms, probes):
        gradient = parameters[name].grad
        assert gradient.norm().item() == pytest.approx(norm, abs=1e-9, rel=0), name
        projected = (gradient * golden_inputs.probe(name, gradient.shape)).sum().item()
        assert projected == pytest.approx(probe, abs=1e-9, rel=0), name
    frozen = [p.grad for p in model.parameters() if not p.requires_grad]
    assert len(frozen) > 100 and all(gradient is None for gradient in frozen)
    load_weights(model.float(), convert(KEY))
    model.zero_grad(set_to_none=True)


def _published(name: str) -> str:
    """The published name of one of our parameters."""
    return name.removeprefix('backbone.').removeprefix('head.')
