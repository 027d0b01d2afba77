"""Several adapters on one backbone: switched without a copy, bit for bit, and switched off."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from method_matrix import tuned
from small_models import (
    METHODS,
    SMALL_BACKBONES,
    build_classifier,
    build_plain,
    clouds,
    logits,
    methods_for,
    scramble,
    state_of,
    train,
)
from small_part_models import CHANGES, head_of
from torch import Tensor, nn

from point_peft.adapters import (
    AdapterError,
    TunedEncoder,
    active_adapter,
    adapter_info,
    delete_adapter,
    disable_adapter,
    get_peft_model,
    list_adapters,
    merge_and_unload,
    print_trainable_parameters,
    set_adapter,
)
from point_peft.engine.checkpoint import base_fingerprint
from point_peft.methods import FoldingError
from point_peft.models import PartSegmentor, PointClassifier

THREE = ('lora', 'bitfit', 'vpt_deep')


def three_adapters(name: str = 'PointMAE') -> tuple[PointClassifier, dict[str, Tensor]]:
    """A classifier with three trained adapters, and the logits of each and, under '', without them."""
    model, outputs = build_classifier(None, name=name), {}
    outputs[''] = logits(model, clouds())
    for method in THREE:
        get_peft_model(model, methods_for(name)[method], name=method)
        train(model, steps=1)
        outputs[method] = logits(model, clouds())
    return model, outputs


def places(model: nn.Module) -> dict[str, int]:
    """Where the backbone's frozen tensors are in memory."""
    tuned_names = {
        name for method in list_adapters(model) for name in adapter_info(model, method).wrapper.tuned_names
    }
    backbone = adapter_info(model).wrapper.backbone
    return {name: v.data_ptr() for name, v in backbone.state_dict().items() if name not in tuned_names}


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_back_and_forth(name: str) -> None:
    """Outputs come back bit for bit, without adapters those of the pre-trained network; frozen weights do not move."""
    model, outputs = three_adapters(name)
    plain, before = build_plain(name).state_dict(), places(model)
    assert len({tuple(output.flatten().tolist()) for output in outputs.values()}) == 4
    for method in (*THREE, 'lora', *reversed(THREE)):
        set_adapter(model, method)
        assert torch.equal(logits(model, clouds()), outputs[method])
        with disable_adapter(model):
            assert torch.equal(logits(model, clouds()), outputs[''])
            found = model.backbone.backbone.state_dict()
            assert all(torch.equal(found[key], value) for key, value in plain.items())
            with disable_adapter(model):
                pass
        assert torch.equal(logits(model, clouds()), outputs[method])
    assert places(model) == before


def test_training_touches_one_adapter_only() -> None:
    model, outputs = three_adapters()
    set_adapter(model, 'bitfit')
    trained = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    own = {f'backbone.backbone.{key}' for key in adapter_info(model).wrapper.tuned_names}
    assert trained == own | {key for key in trained if key.startswith('head.')}
    train(model, steps=1)
    assert not torch.equal(logits(model, clouds()), outputs['bitfit'])
    for method in ('lora', 'vpt_deep'):
        set_adapter(model, method)
        assert torch.equal(logits(model, clouds()), outputs[method])
    assert not any(key.endswith('bias') for key in adapter_info(model).wrapper.tuned_names)


def test_a_fresh_adapter_changes_nothing_and_has_its_own_head() -> None:
    model = build_classifier(None)
    before, head = logits(model, clouds()), model.head
    assert get_peft_model(model, 'lora', rank=2) is model
    assert torch.equal(logits(model, clouds()), before) and model.head is not head
    get_peft_model(model, 'linear_probe', name='probe', head=dict(num_classes=7))
    assert logits(model, clouds()).shape == (4, 7)
    assert len(model.head.cls_head_finetune) == 2  # as the part of the method wants it
    with disable_adapter(model):
        assert model.head is head


def test_a_tuned_model_takes_more_adapters() -> None:
    """That it was built with is called ``default``."""
    model = build_classifier(METHODS['lora'])
    first, names = logits(model, clouds()), set(model.state_dict())
    assert list_adapters(model) == []
    get_peft_model(model, METHODS['bitfit'], name='second')
    train(model, steps=1)
    assert list_adapters(model) == ['default', 'second'] and active_adapter(model) == 'second'
    set_adapter(model, 'default')
    assert torch.equal(logits(model, clouds()), first) and set(model.state_dict()) == names
    delete_adapter(model, 'second')
    assert list_adapters(model) == ['default']


def test_base_is_known_for_every_adapter() -> None:
    """Each has the fingerprint that the model would have if it had been built with this adapter."""
    model, _ = three_adapters()
    for method in THREE:
        set_adapter(model, method)
        other = build_classifier(METHODS[method])
        other.backbone.backbone.pretrained_names = list(other.backbone.backbone.state_dict())
        assert base_fingerprint(model) == base_fingerprint(other)


def test_what_is_off_follows_the_model() -> None:
    model, _ = three_adapters()
    model.double().train()
    for method in (*THREE, 'lora'):
        set_adapter(model, method)
        assert model.head.training and adapter_info(model).wrapper.methods.training
        model(dict(points=clouds().double()), mode='tensor').sum().backward()
    assert all(parameter.dtype == torch.float64 for parameter in model.parameters())
    with disable_adapter(model.eval()):
        assert logits(model, clouds().double()).dtype == torch.float64


def test_a_copy_has_the_adapters_too() -> None:
    model, outputs = three_adapters()
    other = copy.deepcopy(model)
    set_adapter(other, 'lora')
    train(other, steps=1)
    set_adapter(model, 'lora')
    assert torch.equal(logits(model, clouds()), outputs['lora'])
    set_adapter(other, 'bitfit')
    assert torch.equal(logits(other, clouds()), outputs['bitfit'])
    assert adapter_info(other).wrapper.backbone is not adapter_info(model).wrapper.backbone


def part_seg() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    backbone = dict(type='PointMAE', **SMALL_BACKBONES['PointMAE'], **CHANGES['PointMAE'])
    inputs = dict(points=clouds(), category=torch.tensor([0, 1, 2, 3]))
    return PartSegmentor(backbone, head_of('PointMAE')), lambda model: model(inputs, mode='tensor')


def scene() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    model, _ = tuned('PointMAE', 'scene', [])
    model.backbone = model.backbone.detach()
    return model, lambda model: model(clouds())['fp_features'][-1]


def bare() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    return build_plain(), lambda model: model(clouds()).patches


@pytest.mark.parametrize('build', [part_seg, scene, bare])
def test_other_models(build: Any) -> None:
    model, run = build()
    model.eval()
    before = run(model)
    one = get_peft_model(model, 'lora', rank=2)
    get_peft_model(one, 'adapter', name='two', dim=4, scale=0.5)
    assert (one is model) == (build is not bare) and isinstance(one, TunedEncoder) == (build is bare)
    scramble(adapter_info(one).wrapper.methods)
    changed = run(one)
    assert not torch.equal(changed, before)
    set_adapter(one, 'default')
    assert torch.equal(run(one), before)
    with disable_adapter(one):
        assert torch.equal(run(one), before)
    set_adapter(one, 'two')
    assert torch.equal(run(one), changed)


class Detector(nn.Module):
    """As mmdet3d's: an encoder of rooms with a backbone in it, and a head of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, _ = scene()
        self.bbox_head = nn.Linear(16, 3)

    def forward(self, points: Tensor) -> Tensor:
        return self.bbox_head(self.backbone(points)['fp_features'][-1].transpose(1, 2))


def test_a_backbone_inside_of_an_encoder() -> None:
    """Neck and head of every adapter are its own."""
    model = Detector().eval()
    before = model(clouds())
    for name in ('one', 'two'):
        get_peft_model(model, METHODS['bitfit'], name=name)
        scramble(model.bbox_head, seed=len(name))
        scramble(model.backbone.neck)
    assert set(base_fingerprint(model).tensors) <= set(model.state_dict())
    changed = model(clouds())
    assert not torch.equal(changed, before)
    with disable_adapter(model):
        assert torch.equal(model(clouds()), before)
    set_adapter(model, 'one')
    set_adapter(model, 'two')
    assert torch.equal(model(clouds()), changed)


def test_merging() -> None:
    model, outputs = three_adapters()
    set_adapter(model, 'lora')
    with pytest.raises(AdapterError, match="cannot be merged while 'bitfit' needs"):
        merge_and_unload(model)
    for other in THREE[1:]:
        delete_adapter(model, other)
    assert merge_and_unload(model) is model
    torch.testing.assert_close(logits(model, clouds()), outputs['lora'], atol=1e-5, rtol=1e-5)
    assert type(model.backbone).__name__ == 'PointMAE' and list_adapters(model) == []
    get_peft_model(model, METHODS['vpt_deep'])  # on the merged weights
    with pytest.raises(FoldingError, match='prompts are tokens'):
        merge_and_unload(model)
    assert active_adapter(model) == 'default'


def test_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    model = get_peft_model(build_classifier(None), METHODS['lora'])
    print_trainable_parameters(model)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert capsys.readouterr().out.startswith(f'trainable params: {trained:,d} || all params: ')


def test_refusals() -> None:
    model = build_classifier(None)
    before = state_of(model)
    for wrong in (set_adapter, delete_adapter):
        with pytest.raises(
            AdapterError, match='PointClassifier has no adapters; make one with get_peft_model'
        ):
            wrong(model, 'a')
    with pytest.raises(ValueError, match='LoRA target'):
        get_peft_model(model, 'lora', targets=['mlp'])
    assert state_of(model).keys() == before.keys() and list_adapters(model) == []
    assert all(parameter.requires_grad for parameter in model.parameters())
    get_peft_model(model, 'lora', name='a', rank=2)
    expected = logits(model, clouds())
    with pytest.raises(AdapterError, match="has an adapter 'a' already"):
        get_peft_model(model, 'lora', name='a')
    with pytest.raises(AdapterError, match="no adapter 'b'; it has 'a'"):
        set_adapter(model, 'b')
    with pytest.raises(AdapterError, match="adapter 'a' acts"):
        delete_adapter(model, 'a')
    with pytest.raises(ValueError, match='prompt layers .99. do not exist'):
        get_peft_model(model, 'vpt_deep', name='c', layers=[99])
    assert active_adapter(model) == 'a' and torch.equal(logits(model, clouds()), expected)
    with disable_adapter(model), pytest.raises(AdapterError, match='switched off'):
        set_adapter(model, 'a')
    with pytest.raises(
        AdapterError, match='Linear has no backbone of this project; say where its blocks are'
    ):
        get_peft_model(nn.Linear(2, 2), 'lora')
