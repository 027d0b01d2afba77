"""Every backbone with every way of tuning: trains and evaluates on the built-in data, and keeps what is promised."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from method_matrix import CELLS, as_configured, check, refusal
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper
from small_models import (
    SMALL_BACKBONES,
    build_classifier,
    build_plain,
    clouds,
    fill_bank,
    logits,
    methods_for,
    state_of,
)
from torch import nn

from point_peft.engine.config import part_files
from point_peft.evaluation import ClassificationAccuracy
from point_peft.models import PointClassifier, PointDataPreprocessor
from point_peft.procedural import ProceduralShapes

WAYS = ('full', 'linear_probe', 'point_peft', 'lora', 'vpt_deep')

PARTS = [part for part in part_files('method') if part not in ('full', 'linear_probe')]
"""Config parts with something of their own in the backbone."""

REFUSED = {('gaprompt', 'scene'): 'GAPrompt moves the points'}
"""Method and task that cannot go together on any backbone, and how the reason begins: all that configs refuse."""

every_backbone = pytest.mark.parametrize('name', SMALL_BACKBONES)
every_way = pytest.mark.parametrize('way', WAYS)
every_method = pytest.mark.parametrize('way', WAYS[1:])


@pytest.fixture(scope='module')
def shapes() -> ProceduralShapes:
    """One object of each of the sixteen classes."""
    return ProceduralShapes(16, num_points=96)


@pytest.fixture(scope='module')
def batch(shapes: ProceduralShapes) -> dict[str, Any]:
    """All of them, as a data loader collates them."""
    return pseudo_collate([shapes[index] for index in range(16)])


def build(name: str, way: str, **changes: Any) -> PointClassifier:
    """A classifier of the sixteen classes, its bank filled if it has one."""
    methods = None if way == 'full' else methods_for(name)[way]
    if name == 'PointGPT' and way == 'full':
        changes['auxiliary_head'] = dict(type='GenerationHead', depth=1, num_heads=3, group_size=8)
    model = build_classifier(methods, name=name, head=dict(num_classes=16), **changes)
    model.data_preprocessor = PointDataPreprocessor(num_points=64)
    fill_bank(model)
    return model


def three_steps(model: PointClassifier, batch: dict[str, Any]) -> list[float]:
    """Training as in a run; without weight decay, so that only what gets a gradient moves."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    wrapper = OptimWrapper(torch.optim.AdamW(trained, lr=1e-3, weight_decay=0))
    losses = [model.train().train_step(batch, wrapper)['loss'].item() for _ in range(3)]
    model.eval()
    return losses


def cancelled(model: nn.Module) -> set[str]:
    """Biases right before a batch norm, which takes them out again: their gradient is rounding."""
    return {
        f'{name}.{index}.bias'
        for name, module in model.named_modules()
        if isinstance(module, nn.Sequential)
        for index, (layer, after) in enumerate(zip(module, list(module)[1:]))
        if isinstance(after, nn.BatchNorm1d) and not isinstance(layer, nn.BatchNorm1d)
    }


@every_backbone
@every_way
def test_trains_and_evaluates(name: str, way: str, batch: dict[str, Any], shapes: ProceduralShapes) -> None:
    """Three steps change what is trained and, to the byte, nothing else; then the accuracy is computed."""
    model = build(name, way)
    before = state_of(model)
    trained = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    losses = three_steps(model, batch)
    assert all(0 < loss < 100 for loss in losses)
    statistics = {
        key for key in before if key.startswith(('head.', 'backbone.methods.')) and 'running' in key
    }
    if way == 'full':
        statistics |= {key for key in before if 'running' in key}
    counters = {key for key in before if key.endswith('num_batches_tracked')}
    frozen = set(before) - trained - statistics - counters
    for key, value in model.state_dict().items():
        if key in frozen:
            assert torch.equal(value, before[key]), key
        elif key not in counters | cancelled(model):
            assert not torch.equal(value, before[key]), key
    for key in counters:  # batch norms that ran in training: 3 steps
        expected = 3 if way == 'full' or key.startswith(('head.', 'backbone.methods.')) else 0
        assert model.state_dict()[key] - before[key] == expected, key
    metric = ClassificationAccuracy()
    metric.dataset_meta = shapes.metainfo
    metric.process({}, [sample.to_dict() for sample in model.test_step(batch)])
    results = metric.evaluate(size=16)
    assert set(results) == {'overall_accuracy', 'mean_class_accuracy'}
    assert all(0 <= value <= 100 for value in results.values()) and metric.confusion_matrix.sum() == 16


@every_backbone
def test_all_of_a_full_model_gets_a_gradient(name: str, batch: dict[str, Any]) -> None:
    """No dead parameters: what published files have beyond is frozen, and gets none."""
    model = build(name, 'full').train()
    data = model.data_preprocessor(batch, training=True)
    losses = model(**data, mode='loss')
    assert set(losses) == {'loss', 'loss_generation'} if name == 'PointGPT' else set(losses) == {'loss'}
    sum(losses.values()).backward()
    for key, parameter in model.named_parameters():
        if not parameter.requires_grad:
            assert name == 'PointGPT' and parameter.grad is None, key
        elif key not in cancelled(model):
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key


@every_backbone
@every_way
def test_logits_do_not_depend_on_the_batch(name: str, way: str) -> None:
    """A cloud alone, among eight, in another order and beside other clouds, with a filled bank: 1e-5."""
    model, points = build(name, way), clouds(8)
    together = logits(model, points)
    alone = torch.cat([logits(model, cloud[None]) for cloud in points])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=0)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(logits(model, points[order]), together[order], atol=1e-5, rtol=0)
    others = torch.cat([clouds(5, seed=3) * 4, points[:3]])
    torch.testing.assert_close(logits(model, others)[5:], together[:3], atol=1e-5, rtol=0)
    assert together.std(dim=0).min() > 1e-3  # the clouds themselves matter far more


@every_backbone
@every_method
def test_detach_gives_the_plain_backbone_back(name: str, way: str, batch: dict[str, Any]) -> None:
    """Bit for bit, after training; attached again, the tuned logits are back."""
    model, plain = build(name, way), build_plain(name)
    three_steps(model, batch)
    tuned, last = logits(model, clouds()), len(plain.layers) - 1
    detached = model.backbone.detach()
    found = detached(clouds(), hidden_layers=[0, last])
    expected = plain(clouds(), hidden_layers=[0, last])
    assert torch.equal(found.patches, expected.patches) and torch.equal(found.prefix, expected.prefix)
    assert all(torch.equal(found.hidden[index], expected.hidden[index]) for index in (0, last))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in detached.modules())
    model.backbone.attach()
    assert torch.equal(logits(model, clouds()), tuned)


@every_backbone
def test_the_prior_stays_pretrained(name: str, batch: dict[str, Any]) -> None:
    """Training moves biases, norms and prefix tokens, but not the descriptor that the bank is asked with."""
    model, plain = build(name, 'point_peft'), build_plain(name)
    three_steps(model, batch)
    wrapper = model.backbone
    assert wrapper.tuned_names and any('bias' in tuned for tuned in wrapper.tuned_names)
    tokens = wrapper.backbone.embed(clouds())
    assert torch.equal(wrapper.pretrained_summary(tokens), plain.summarize(plain.embed(clouds())))
    assert (wrapper.backbone.summarize(tokens) - wrapper.pretrained_summary(tokens)).abs().max() > 1e-4


@every_backbone
@pytest.mark.parametrize('way', ['adapter', 'lora', 'bitfit', 'linear_probe'])
def test_fresh_methods_change_nothing(name: str, way: str) -> None:
    """What starts at the identity gives the plain model's logits, bit for bit."""
    fresh = build_classifier(methods_for(name)[way], name=name, fresh=True)
    plain = build_classifier(name=name)
    assert torch.equal(logits(fresh, clouds()), logits(plain, clouds()))


@every_backbone
def test_fresh_point_peft_changes_nothing_but_by_propagation(name: str) -> None:
    """Without prompts and with the weight of the propagated features at zero, all else starts at the identity."""
    methods = [hook for hook in methods_for(name)['point_peft'] if hook['type'] != 'PointPriorPrompt']
    silent = [hook | dict(propagation_scale=0.0) if 'Geometry' in hook['type'] else hook for hook in methods]
    expected = logits(build_classifier(name=name), clouds())
    fresh = logits(build_classifier(silent, name=name, fresh=True), clouds())
    torch.testing.assert_close(fresh, expected, atol=1e-6, rtol=0)
    loud = logits(build_classifier(methods, name=name, fresh=True), clouds())
    assert (loud - expected).abs().max() > 1e-3  # as in the paper: neighbours are mixed from the start


@pytest.mark.parametrize('part', PARTS)
@pytest.mark.parametrize(('name', 'task'), CELLS)
def test_config_parts(part: str, name: str, task: str) -> None:
    """Every method as its config has it, at a small size: learns in all its parts, and keeps what is promised."""
    reason = refusal(part, name, task)
    if (part, task) in REFUSED or reason:
        assert reason and reason.startswith(REFUSED.get((part, task), 'not listed'))
        return
    methods, head = as_configured(part, name, task)
    check(name, task, methods, **head)
