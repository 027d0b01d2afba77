"""Every head on every backbone that it fits, with every way of tuning."""

from __future__ import annotations

import re

import pytest
import torch
from compiled_models import needs_compiler
from mmengine.optim import OptimWrapper
from small_models import state_of
from small_part_models import (
    HEADS,
    NUM_PARTS,
    PAIRS,
    PUBLISHED,
    WAYS,
    allowed_parts,
    build_segmentor,
    every_pair,
    part_batch,
    part_logits,
)
from torch import nn

from point_peft.methods import PEFTBackbone
from point_peft.models import PartSegmentor, PointDataPreprocessor

pairs = pytest.mark.parametrize(('name', 'head'), PAIRS, ids=every_pair)
every_way = pytest.mark.parametrize('way', WAYS)

GLOBAL_STREAM = r'_contrast\.|(cls|img|text)_(token|pos)$'
"""Of ReCon; only its own decoder looks at the global tokens."""


@pairs
@every_way
def test_training(name: str, head: str, way: str) -> None:
    """Three steps move all that is trained, and leave what is frozen as it was, to the byte."""
    model = build_segmentor(name, head, way)
    before = state_of(model)
    losses = steps(model, 3)
    after = model.state_dict()
    assert all(loss == loss for loss in losses)
    trained = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    still = {key for key in trained if torch.equal(before[key], after[key])}
    assert still <= without_effect(model, name, head)
    frozen = {key for key in before if key.startswith('backbone.backbone.') and key not in trained}
    assert all(torch.equal(before[key], after[key]) for key in frozen)
    assert bool(frozen) == (way != 'full')
    if way == 'linear_probe':
        assert all(key.startswith('head.') for key in trained)


@pytest.mark.parametrize('head', HEADS)
def test_learning(head: str) -> None:
    """Each decoder learns a batch by heart on its backbone, from initial values."""
    name = next(name for name, kind in PUBLISHED.items() if kind == head or head == 'linear')
    losses = steps(build_segmentor(name, head, fresh=True), 40, lr=5e-3)
    assert losses[-1] < 0.5 * losses[0]


def steps(model: PartSegmentor, count: int, lr: float = 1e-3) -> list[float]:
    """Train on one batch as a run does; without weight decay, so that only what gets a gradient moves."""
    model.data_preprocessor = PointDataPreprocessor()
    inputs, samples = part_batch()
    data = dict(inputs=dict(inputs), data_samples=samples)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = OptimWrapper(torch.optim.AdamW(trained, lr=lr, weight_decay=0))
    torch.manual_seed(0)
    model.train()
    losses = [model.train_step(data, optimizer)['loss'].item() for _ in range(count)]
    model.eval()
    return losses


def without_effect(model: nn.Module, name: str, head: str) -> set[str]:
    """Parameters that may stay: biases in front of a batch norm, and ReCon's global stream under a head without it."""
    allowed = {key for key, _ in model.named_parameters() if key.endswith('bias')}
    if name == 'ReCon' and head != 'plain':
        allowed |= {key for key, _ in model.named_parameters() if re.search(GLOBAL_STREAM, key)}
    return allowed


@pairs
@every_way
def test_initial_values_train(name: str, head: str, way: str) -> None:
    """From the initial values of a run the loss is finite, and it reaches all that is trained.

    A parameter that it does not reach would stop a run of several processes.
    """
    model = build_segmentor(name, head, way, fresh=True).train()
    inputs, samples = part_batch()
    losses = model(inputs, samples, mode='loss')
    losses['loss'].backward()
    assert set(losses) == {'loss'} and losses['loss'].isfinite()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained)
    assert any(bool(p.grad.any()) for p in trained)


@pairs
def test_predictions(name: str, head: str) -> None:
    """Logits over all parts of all categories; predictions among the parts of the object's own."""
    model = build_segmentor(name, head, 'point_peft')
    inputs, samples = part_batch()
    logits = part_logits(model, inputs)
    assert logits.shape == (8, 64, NUM_PARTS) and logits.isfinite().all()
    assert bool((logits.std(dim=1) > 1e-6).all())  # points differ
    with torch.no_grad():
        found = model(inputs, samples, mode='predict')
    for sample in found:
        assert set(sample.pred_part.tolist()) <= set(allowed_parts(int(sample.category)))
        assert sample.pred_part.shape == sample.gt_part.shape


@pairs
def test_category_matters(name: str, head: str) -> None:
    """The same cloud as another category has other logits."""
    model = build_segmentor(name, head)
    inputs, _ = part_batch(4)
    other = part_logits(model, {**inputs, 'category': inputs['category'].roll(1)})
    assert bool(((part_logits(model, inputs) - other).abs().amax(dim=(1, 2)) > 1e-4).all())


@pairs
@pytest.mark.parametrize('way', ['full', 'point_peft'])
def test_order_of_points(name: str, head: str, way: str) -> None:
    """Points in another order give the same logits in that order; the first one stays, where sampling begins."""
    model = build_segmentor(name, head, way).double()
    inputs, _ = part_batch(3)
    inputs['points'] = inputs['points'].double()
    order = torch.cat([torch.zeros(1, dtype=torch.long), 1 + torch.randperm(63)])
    expected = part_logits(model, inputs)[:, order]
    found = part_logits(model, {**inputs, 'points': inputs['points'][:, order]})
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-7)


@pairs
@pytest.mark.parametrize('way', ['full', 'point_peft'])
def test_batch_independence(name: str, head: str, way: str) -> None:
    """Each object alone has the logits that it has in a batch."""
    model = build_segmentor(name, head, way).double()
    inputs, _ = part_batch(4)
    inputs['points'] = inputs['points'].double()
    alone = [part_logits(model, {key: value[b : b + 1] for key, value in inputs.items()}) for b in range(4)]
    torch.testing.assert_close(part_logits(model, inputs), torch.cat(alone), rtol=1e-9, atol=1e-9)


@pairs
def test_detached_backbone(name: str, head: str) -> None:
    """Without its methods a tuned model is the plain backbone's with the same head."""
    tuned, plain = (
        build_segmentor(name, head, 'point_peft', fresh=True),
        build_segmentor(name, head, fresh=True),
    )
    assert isinstance(tuned.backbone, PEFTBackbone)
    plain.backbone.load_state_dict(tuned.backbone.detach().state_dict())
    plain.head.load_state_dict(tuned.head.state_dict())
    inputs, _ = part_batch(2)
    assert torch.equal(part_logits(tuned, inputs), part_logits(plain, inputs))


def test_gpt_trains_the_norm_that_it_uses() -> None:
    """PointGPT has two last norms; in part segmentation that of hidden features is trained and is the final one."""
    full, tuned = (build_segmentor('PointGPT', 'plain', way) for way in ('full', 'point_peft'))
    for model, prefix in ((full, 'backbone.'), (tuned, 'backbone.backbone.')):
        trained = {name for name, p in model.named_parameters() if p.requires_grad}
        assert {f'{prefix}norm.weight', f'{prefix}norm.bias'} <= trained
        assert not {f'{prefix}blocks.ln_f.weight', f'{prefix}blocks.ln_f.bias'} & trained


@needs_compiler
@pytest.mark.parametrize('head', HEADS)
def test_compiling_finds_one_graph(head: str) -> None:
    """Nothing in a decoder branches on the values of tensors."""
    torch._dynamo.reset()
    name = next(name for name, fitting in PAIRS if fitting == head)
    model, (inputs, _) = build_segmentor(name, head), part_batch(4)
    compiled = torch.compile(model, backend='eager', fullgraph=True)
    assert torch.equal(part_logits(compiled, inputs), part_logits(model, inputs))
