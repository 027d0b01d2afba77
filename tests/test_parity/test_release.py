"""``release`` mode computes what the released Point-PEFT computes, quirks included, and trains what it trains."""

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
from point_peft.ops import farthest_point_sample

KEY = 'pointpeft_mae'
BLOCKS = (0, 5, 6, 11)
LABELS = (3, 11)
PRECISIONS = {'f32': (torch.float32, 1e-5), 'f64': (torch.float64, 1e-9)}
STORAGE = 2.0**-24
"""Relative error of the golden block outputs, which are kept in float32."""

Outputs = Mapping[str, Tensor]


@pytest.fixture(scope='module', params=PRECISIONS)
def run(
    request: pytest.FixtureRequest, golden_model: Callable[[str], BaseModel]
) -> tuple[str, float, Outputs]:
    """Everything that is compared, from three forwards in one precision: its name, tolerance and outputs."""
    dtype, tolerance = PRECISIONS[request.param]
    model = golden_model(KEY).to(dtype)
    backbone, points = model.backbone, golden_inputs.clouds().to(dtype)
    found: dict[str, Tensor] = {}
    handles = [
        block.register_forward_hook(lambda _, args, out, i=index: found.__setitem__(f'block{i}', out))
        for index, block in enumerate(backbone.blocks.blocks)
    ]
    with torch.no_grad():
        found['logits'] = model(dict(points=points))
        for handle in handles:
            handle.remove()
        found['logits_b1'] = torch.cat([model(dict(points=cloud[None])) for cloud in points])
        found['cp_feat'] = backbone.prior.summarize(backbone.prior.embed(points))
        bank = backbone.memory_bank
        backbone.memory_bank = bank[:, :0]
        found['logits_noprompt_bank_off'] = model(dict(points=points))
        backbone.memory_bank = bank
        rows = backbone.query_bank(points)
        found['topk_sim'], found['topk_idx'] = (F.normalize(rows[:, 0], dim=1) @ bank).topk(8)
        assert torch.equal(rows[:, 2:], bank.T[found['topk_idx']])  # the rows that the prompts are made of
        with_prompts = torch.cat([backbone.prompt_cor.expand(2, -1, -1), points], dim=1)
        for name, cloud in (('', points), ('_prompt', with_prompts)):
            index = farthest_point_sample(cloud, 128)
            found[f'fps_idx{name}'] = index
            found[f'center{name}'] = torch.gather(cloud, 1, index.unsqueeze(-1).expand(-1, -1, 3))
    model.float()
    return request.param, tolerance, found


@pytest.mark.parametrize(
    'output',
    ['logits', 'logits_b1', 'logits_noprompt_bank_off', 'cp_feat', 'topk_sim', 'center', 'center_prompt'],
)
def test_values(run: tuple[str, float, Outputs], output: str) -> None:
    """Logits in the golden batch, alone and without the bank; the prior's feature; where the centers are."""
    precision, tolerance, found = run
    golden = golden_inputs.outputs(KEY)
    expected = golden.get(f'B_{precision}/{output}', golden[f'B_f64/{output}'])
    np.testing.assert_allclose(found[output].numpy(), expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize('output', ['topk_idx', 'fps_idx', 'fps_idx_prompt'])
def test_choices(run: tuple[str, float, Outputs], output: str) -> None:
    """Which rows of the bank are retrieved, and which points are centers."""
    precision, _, found = run
    expected = golden_inputs.outputs(KEY)[f'B_{precision}/{output}']
    ours = found[output]
    if output.startswith('fps'):  # the golden index addresses the flattened batch
        num_points = 2048 + 10 * output.endswith('prompt')
        ours = (ours + num_points * torch.arange(2).unsqueeze(1)).flatten()
    np.testing.assert_array_equal(ours.numpy(), expected)


@pytest.mark.parametrize('index', BLOCKS)
def test_blocks(run: tuple[str, float, Outputs], index: int) -> None:
    """Tokens after prompted and un-prompted blocks.

    The golden ones come from float64 and are kept in float32. Tokens are not normed here and reach 400, so in
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
    assert difference[0] < 1e-5 and difference[1] > 1e-3


def test_sizes(golden_model: Callable[[str], BaseModel]) -> None:
    """773 017 of 22 560 409 parameters are trained by the published rule, the prior counted apart."""
    model = golden_model(KEY)
    names = dict(model.named_parameters())
    own = [p.numel() for name, p in names.items() if not name.startswith('backbone.prior.')]
    assert sum(own) == golden_inputs.description(KEY)['params0'] == 22_560_409
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 773_017


@pytest.mark.parametrize('rule', golden_inputs.RULES)
def test_gradients(golden_model: Callable[[str], BaseModel], convert: Callable[..., Path], rule: str) -> None:
    """Loss, and of every trained tensor the gradient's norm and its projection on a fixed direction, in float64."""
    model = golden_model(KEY).double()
    load_weights(model, convert(KEY, rule))
    golden: Mapping[str, ndarray] = golden_inputs.outputs('grad_pointpeft_mae')
    model.zero_grad(set_to_none=True)
    logits = model(dict(points=golden_inputs.clouds().double()))
    loss = F.cross_entropy(logits, torch.tensor(LABELS))
    loss.backward()
    assert loss.item() == pytest.approx(golden[f'{rule}/loss'].item(), abs=1e-9, rel=0)

    parameters = {_published(name): p for name, p in model.named_parameters() if p.requires_grad}
    assert sorted(parameters) == sorted(golden[f'{rule}/names'])
    dead = 0
    names, norms, probes = (golden[f'{rule}/{field}'] for field in ('names', 'grad_norm', 'grad_probe'))
    for name, norm, probe in zip(names, norms, probes):
        gradient = parameters[name].grad
        if np.isnan(norm):
            assert gradient is None, name
            dead += parameters[name].numel()
            continue
        assert gradient.norm().item() == pytest.approx(norm, abs=1e-9, rel=0), name
        projected = (gradient * golden_inputs.probe(name, gradient.shape)).sum().item()
        assert projected == pytest.approx(probe, abs=1e-9, rel=0), name
    assert dead == 62_268 and sum(p.numel() for p in parameters.values()) - dead == 710_749
    expected = golden[f'{rule}/prompt_cor_grad']
    np.testing.assert_allclose(parameters['prompt_cor'].grad.numpy(), expected, atol=1e-9, rtol=0)
    frozen = [p.grad for p in model.parameters() if not p.requires_grad]
    assert len(frozen) > 100 and all(gradient is None for gradient in frozen)
    load_weights(model.float(), convert(KEY))
    model.zero_grad(set_to_none=True)


def _published(name: str) -> str:
    """The published name of one of our parameters."""
    return name.removeprefix('backbone.').removeprefix('head.')
