"""Folding tuning methods into the weights of the backbone."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from small_models import METHODS, SMALL_BACKBONES, build_classifier, clouds, fill_bank, logits
from torch import nn

from point_peft.methods import FoldingError, LoRA, TuningMethod, WeightChange
from point_peft.methods.weight_change import changed_weights
from point_peft.registry import MODELS

FOLDABLE = {
    'lora': [dict(type='LoRA', rank=2, alpha=4)],
    'dora': [dict(type='DoRA', rank=2, alpha=4)],
    'ssf': [dict(type='SSF', final_norm=True)],
    'bitfit': [dict(type='SelectiveTuning', norm_weights=True)],
    'linear_probe': [],
}
ALL = [method for methods in FOLDABLE.values() for method in methods]
"""All at the same layers, each after the other."""


def folded(model: nn.Module) -> nn.Module:
    """A copy of a classifier whose backbone is the plain one that folding gives."""
    model = deepcopy(model)
    model.backbone = model.backbone.fold()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    return model


def check(name: str, methods: list[dict[str, Any]]) -> None:
    """The plain network computes what the tuned one did."""
    model = build_classifier(methods, name=name)
    tuned = logits(model, clouds())
    torch.testing.assert_close(logits(folded(model), clouds()), tuned, atol=1e-5, rtol=0)
    torch.testing.assert_close(logits(model, clouds()), tuned, atol=0, rtol=0)  # of which that was a copy


@pytest.mark.parametrize('way', FOLDABLE)
@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_same_logits(name: str, way: str) -> None:
    check(name, FOLDABLE[way])


@pytest.mark.parametrize('methods', [ALL, ALL[::-1]])
def test_several_act_in_their_order(methods: list[dict[str, Any]]) -> None:
    """Scales, updates and shifts at the same layers are put together as the hooks do it."""
    check('PointMAE', methods)


def test_afterwards() -> None:
    """The wrapper stands for the plain network, nothing is trained, and none of it is said to be pre-trained."""
    model = build_classifier(ALL)
    model.backbone.detach()
    tuned = logits(build_classifier(ALL), clouds())
    plain = model.backbone.fold()
    assert model.backbone.backbone is plain and plain.checkpoint is None and model.base_state() == {}
    torch.testing.assert_close(logits(model, clouds()), tuned, atol=1e-5, rtol=0)
    assert not any(parameter.requires_grad for parameter in model.backbone.parameters())
    assert set(model.backbone.state_dict()) == {f'backbone.{name}' for name in plain.state_dict()}


def test_twice() -> None:
    """What is folded cannot be folded or taken off, nor can a copy of it."""
    wrapper = build_classifier(FOLDABLE['lora']).backbone
    wrapper.fold()
    for act in (wrapper.fold, wrapper.detach, deepcopy(wrapper).fold):
        with pytest.raises(
            FoldingError, match='have been folded into the weights of this backbone, so they cannot'
        ):
            act()


@pytest.mark.parametrize('broken', ['update', 'bias'])
def test_not_finite(broken: str) -> None:
    """NaN and infinities are refused, and nothing has been changed."""
    model = build_classifier([dict(type='LoRA', rank=2), dict(type='SelectiveTuning')])
    wrapper = model.backbone
    layer = wrapper.backbone.layers[2].mlp.fc1
    parameter = wrapper.methods[0].updates[7][0].weight if broken == 'update' else layer.bias
    with torch.no_grad():
        parameter.view(-1)[0] = float('nan') if broken == 'update' else float('inf')
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(FoldingError, match=r'put NaN or infinite weights into blocks\.blocks\.2\.mlp\.fc1'):
        wrapper.fold()
    after = model.state_dict()
    assert all(
        torch.equal(after[name], value) or not value.isfinite().all() for name, value in before.items()
    )
    assert not wrapper.is_folded and len(wrapper.methods) == 2


@pytest.mark.parametrize(
    ('way', 'reason'),
    [
        (
            'point_peft',
            'PointPriorPrompt: prompts are tokens in the sequence, not weights; BottleneckAdapter: its',
        ),
        ('adapter', 'BottleneckAdapter: its activation is not linear'),
        ('geometry', 'GeometryAwareAdapter: it mixes neighbouring tokens, differently in every cloud'),
        ('pointlora', 'PointLoRA: its shared branches are not linear, and it adds tokens'),
        ('vpt_deep', 'VPTDeep: prompts are tokens in the sequence, not weights'),
    ],
)
def test_refused(way: str, reason: str) -> None:
    """What is no change of weights, with its reason; also beside something that is."""
    methods = [dict(type='PointLoRA')] if way == 'pointlora' else METHODS[way]
    model = build_classifier([*METHODS['lora'], *methods])
    fill_bank(model)
    tuned = logits(model, clouds())
    with pytest.raises(FoldingError, match=f'the methods cannot be folded .*{reason}'):
        model.backbone.fold()
    assert torch.equal(logits(model, clouds()), tuned)


def test_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that says nothing is refused; so is one whose base can be folded, as it may do more."""
    bases = {'Silent': TuningMethod, 'More': LoRA}
    for name, base in bases.items():
        monkeypatch.setitem(MODELS.module_dict, name, type(name, (base,), {}))
    model = build_classifier([dict(type=name) for name in bases])
    with pytest.raises(
        FoldingError,
        match='Silent: what it computes is no change of weights; More: it does not say that it can be',
    ):
        model.backbone.fold()


def test_wrong_layer() -> None:
    """Only linear layers and norms have weights that are meant."""
    with pytest.raises(ValueError, match='a GELU has no weight that a tuning method could be folded into'):
        changed_weights([WeightChange(nn.GELU())])
