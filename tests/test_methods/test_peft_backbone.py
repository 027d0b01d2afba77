"""The wrapper: frozen means frozen, and detaching gives the untouched backbone back."""

from __future__ import annotations

import copy

import pytest
import torch
from small_models import (
    METHODS,
    POINT_PEFT,
    build_classifier,
    build_plain,
    clouds,
    fill_bank,
    logits,
    state_of,
    train,
)

from point_peft.backbones.layers import DropPath
from point_peft.methods import PEFTBackbone
from point_peft.models import PointClassifier
from point_peft.registry import MODELS

every_method = pytest.mark.parametrize('method', METHODS)


def tuned(method: str) -> PointClassifier:
    """A classifier with a method, its bank filled if it has one."""
    model = build_classifier(METHODS[method])
    fill_bank(model)
    return model


@every_method
def test_detach_gives_the_plain_backbone_back(method: str) -> None:
    """Bit for bit the outputs of a plain backbone with the same weights, before and after training."""
    model, plain, points = tuned(method), build_plain(), clouds()
    expected = plain(points, hidden_layers=[1])
    for _ in range(2):
        detached = model.backbone.detach()
        found = detached(points, hidden_layers=[1])
        assert torch.equal(found.patches, expected.patches) and torch.equal(found.prefix, expected.prefix)
        assert torch.equal(found.hidden[1], expected.hidden[1])
        assert torch.equal(model.backbone(points).patches, expected.patches)
        assert all(
            torch.equal(value, plain.state_dict()[name]) for name, value in detached.state_dict().items()
        )
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in detached.modules())
        model.backbone.attach()
        train(model)


@every_method
def test_attach_gives_the_tuned_outputs_back(method: str) -> None:
    """Exactly; doing either twice does nothing more."""
    model = tuned(method)
    train(model)
    expected, hooks = logits(model, clouds()), num_hooks(model.backbone.backbone)
    for _ in range(2):
        model.backbone.detach()
    assert num_hooks(model.backbone.backbone) == 0
    assert method == 'linear_probe' or not torch.equal(logits(model, clouds()), expected)
    for _ in range(2):
        model.backbone.attach()
    assert torch.equal(logits(model, clouds()), expected)
    assert num_hooks(model.backbone.backbone) == hooks


def num_hooks(module: torch.nn.Module) -> int:
    """PyTorch hooks on a module and those inside it."""
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules())


@every_method
def test_frozen_means_frozen(method: str) -> None:
    """Training changes the tuned parameters and nothing else: weights, statistics and kept values stay, to the byte."""
    model = tuned(method)
    wrapper = model.backbone
    before, kept = state_of(wrapper.backbone), dict(wrapper.named_buffers(recurse=False))
    kept = {name: value.clone() for name, value in kept.items()}
    train(model)
    for name, value in wrapper.backbone.state_dict().items():
        changed = name in wrapper.tuned_names
        assert torch.equal(value, before[name]) != changed, name
    for name, value in wrapper.named_buffers(recurse=False):
        assert torch.equal(value, kept[name]), name
    for name, parameter in wrapper.backbone.named_parameters():
        assert (parameter.grad is None) == (name not in wrapper.tuned_names), name


@every_method
def test_same_seed_same_losses(method: str) -> None:
    """Drop-path and dropout included; another seed gives other losses."""
    runs = [train(tuned(method), seed=seed) for seed in (0, 0, 1)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@pytest.mark.parametrize('method', ['adapter', 'lora', 'linear_probe'])
def test_fresh_methods_change_nothing(method: str) -> None:
    """Freshly wrapped, a method that starts at zero gives the plain model's logits, bit for bit."""
    fresh = build_classifier(METHODS[method], fresh=True)
    assert torch.equal(logits(fresh, clouds()), logits(build_classifier(), clouds()))


@every_method
def test_hooks_act_inside_the_wrapper_only(method: str) -> None:
    """The backbone inside, called directly, is plain as long as its own parameters are."""
    model, plain = tuned(method), build_plain()
    model.backbone(clouds())
    inside = model.backbone.backbone
    assert torch.equal(inside.encode(inside.embed(clouds())).patches, plain(clouds()).patches)


@every_method
@pytest.mark.parametrize('training', [True, False])
def test_pretrained_summary_is_untouched(method: str, training: bool) -> None:
    """Neither hooks, trained biases, trained norms nor drop-path reach the prior; training state is put back."""
    model, plain = tuned(method), build_plain()
    expected = plain.summarize(plain.embed(clouds()))
    train(model)
    wrapper = model.train(training).backbone
    before = state_of(wrapper)
    summary = wrapper.pretrained_summary(wrapper.backbone.embed(clouds()))
    assert torch.equal(summary, expected) and not summary.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in wrapper.state_dict().items())
    assert all(m.training == training for m in wrapper.backbone.modules() if isinstance(m, DropPath))


def test_summary_differs_from_tuned_features() -> None:
    """The test above can fail: with the tuned values in place the summary is another."""
    model = tuned('bitfit')
    plain = build_plain()
    train(model)
    inside = model.backbone.backbone
    tokens = inside.embed(clouds())
    assert (inside.summarize(tokens) - plain.summarize(tokens)).abs().max() > 1e-2


def test_training_mode() -> None:
    """Tuning methods and drop-path follow ``train()``; the backbone's batch norms never do."""
    wrapper = tuned('point_peft').backbone.train()
    assert wrapper.training and all(m.training for m in wrapper.methods.modules())
    in_training = {type(m).__name__ for m in wrapper.backbone.modules() if m.training}
    assert in_training == {'DropPath'}
    wrapper.eval()
    assert not any(m.training for m in wrapper.modules())


@every_method
def test_hidden_layers(method: str) -> None:
    """Patch tokens after the named blocks, methods included and prompts not."""
    model = tuned(method)
    features = model.backbone(clouds(), hidden_layers=[0, 3])
    assert sorted(features.hidden) == [0, 3]
    assert all(value.shape == (4, 16, 48) for value in features.hidden.values())
    torch.testing.assert_close(features.hidden[3], features.patches)
    plain = build_plain()(clouds(), hidden_layers=[0])
    touches_block_0 = method != 'linear_probe'
    train(model)
    hidden = model.backbone(clouds(), hidden_layers=[0]).hidden[0]
    assert ((hidden - plain.hidden[0]).abs().max() > 1e-3) == touches_block_0


@every_method
def test_deep_copy(method: str) -> None:
    """A copy (of an averaged model, say) has hooks of its own: same logits, and training it leaves the original."""
    model = tuned(method)
    expected = logits(model, clouds())
    clone = copy.deepcopy(model)
    assert torch.equal(logits(clone, clouds()), expected)
    train(clone)
    assert torch.equal(logits(model, clouds()), expected)
    assert not torch.equal(logits(clone, clouds()), expected)
    detached = copy.deepcopy(clone.backbone)
    detached.detach()
    again = copy.deepcopy(detached)
    assert torch.equal(again(clouds()).patches, build_plain()(clouds()).patches)
    assert not again.is_attached


@every_method
def test_state_dict_round_trip(method: str) -> None:
    """A second model with other weights takes a state and gives the same logits."""
    model = tuned(method)
    train(model)
    other = build_classifier(METHODS[method], fresh=True)
    other.load_state_dict(state_of(model))
    assert torch.equal(logits(other, clouds()), logits(model, clouds()))
    assert torch.equal(other.backbone.detach()(clouds()).patches, build_plain()(clouds()).patches)


def test_base_state_holds_pretrained_values() -> None:
    """What came from the file keeps its values under the names of the state dict, training or not."""
    model = tuned('point_peft')
    wrapper, plain = model.backbone, build_plain()
    assert wrapper.base_state() == {}
    wrapper.backbone.pretrained_names = [
        'norm.weight',
        'blocks.blocks.0.norm1.bias',
        'encoder.first_conv.0.weight',
    ]
    train(model)
    base = model.base_state()
    assert sorted(base) == [
        'backbone.backbone.blocks.blocks.0.norm1.bias',
        'backbone.backbone.encoder.first_conv.0.weight',
        'backbone.backbone.norm.weight',
        'backbone.pretrained_blocks_blocks_0_norm1_bias',
        'backbone.pretrained_norm_weight',
    ]
    assert set(base) < set(model.state_dict())
    for name, value in base.items():
        if name.startswith('backbone.backbone.'):
            assert torch.equal(value, plain.state_dict()[name.removeprefix('backbone.backbone.')])
    assert not torch.equal(
        model.state_dict()['backbone.backbone.norm.weight'], base['backbone.backbone.norm.weight']
    )


def test_pretrained_state_is_what_the_summary_needs() -> None:
    """All tensors but the class token, with pre-trained values; a plain encoder built from it gives the summary."""
    model = tuned('point_peft')
    train(model)
    state = model.backbone.pretrained_state()
    encoder = build_plain(class_token=False)
    encoder.load_state_dict(state)
    tokens = encoder.embed(clouds())
    assert torch.equal(encoder.summarize(tokens), model.backbone.pretrained_summary(tokens))


def test_unknown_method() -> None:
    """A hook that nothing is registered under is named."""
    with pytest.raises(KeyError, match='LoRRA'):
        build_classifier([dict(type='LoRRA')])


def test_unknown_backbone_parameter() -> None:
    """A method that names a parameter which the backbone lacks is refused."""
    from point_peft.methods import SelectiveTuning

    class Wrong(SelectiveTuning):
        """Names nothing that exists."""

        def setup(self, backbone: object) -> None:
            """Choose."""
            self.names = ['blocks.blocks.9.norm1.bias']

    MODELS.register_module(module=Wrong)
    try:
        with pytest.raises(AttributeError):
            build_classifier([dict(type='Wrong')])
    finally:
        MODELS.module_dict.pop('Wrong')


def test_type() -> None:
    """The config ``peft=dict(type='PEFTBackbone', methods=[...])`` wraps the plain backbone."""
    model = build_classifier(POINT_PEFT)
    assert isinstance(model.backbone, PEFTBackbone) and model.backbone.embed_dim == 48
    assert [type(t).__name__ for t in model.backbone.methods] == [hook['type'] for hook in POINT_PEFT]
