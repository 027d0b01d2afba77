"""Selective tuning of the backbone's own parameters."""

from __future__ import annotations

import pytest
import torch
from small_models import SMALL_BACKBONES, build_classifier, build_plain, clouds, train
from torch import nn

from point_peft.methods import SelectiveTuning

BIASES = {
    f'blocks.blocks.{i}.{name}.bias'
    for i in range(4)
    for name in ('norm1', 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2')
}
NORM_WEIGHTS = {f'blocks.blocks.{i}.{name}.weight' for i in range(4) for name in ('norm1', 'norm2')}
FINAL_NORM = {'norm.weight', 'norm.bias'}
PREFIX = {'cls_token', 'cls_pos'}


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        ({}, BIASES | FINAL_NORM | PREFIX),
        (dict(norm_weights=True), BIASES | NORM_WEIGHTS | FINAL_NORM | PREFIX),
        (dict(biases=False, final_norm=False), PREFIX),
        (dict(prefix=False, final_norm=False), BIASES),
        (dict(biases=False, prefix=False), FINAL_NORM),
        (dict(biases=False, prefix=False, final_norm=False), set()),
    ],
)
def test_names(arguments: dict, expected: set[str]) -> None:
    """Each option selects its part: biases inside the blocks, not those of the patch embedding."""
    method = SelectiveTuning(**arguments)
    method.setup(build_plain())
    assert set(method.backbone_parameters()) == expected and len(method.names) == len(expected)


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_embedding_and_positions(name: str) -> None:
    """The first half of the PointNet and the layers of positions learn; the prior stays as it was."""
    only = dict(biases=False, final_norm=False, prefix=False)
    model = build_classifier(
        [dict(type='SelectiveTuning', embedding=True, positions=True, **only)], name=name
    )
    wrapper, plain = model.backbone, build_plain(name)
    found = {tuned.split('.')[-3] for tuned in wrapper.tuned_names}
    assert 'first_conv' in found and len(wrapper.tuned_names) == 6 + 4 * {'PointGPT': 0, 'PointM2AE': 3}.get(
        name, 1
    )
    train(model)
    assert all(wrapper.backbone.get_parameter(tuned).grad.abs().sum() > 0 for tuned in wrapper.tuned_names)
    tokens, before = wrapper.backbone.embed(clouds()), plain.embed(clouds())
    assert (tokens.features - before.features).abs().max() > 1e-3
    assert torch.equal(wrapper.pretrained_summary(tokens), plain.summarize(before))


def test_no_such_embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backbone that embeds groups otherwise."""
    backbone = build_plain()
    backbone.encoder = nn.Identity()
    with pytest.raises(ValueError, match='PointMAE has none; set embedding=False'):
        SelectiveTuning(embedding=True).setup(backbone)


def test_only_these_are_trained() -> None:
    """The wrapper leaves everything else frozen."""
    backbone = build_classifier([dict(type='SelectiveTuning')]).backbone
    trained = {name for name, parameter in backbone.backbone.named_parameters() if parameter.requires_grad}
    assert trained == BIASES | FINAL_NORM | PREFIX == set(backbone.tuned_names)


def test_without_class_token() -> None:
    """An encoder without one has no prefix to train."""
    method = SelectiveTuning(biases=False, final_norm=False)
    method.setup(build_plain(class_token=False))
    assert method.backbone_parameters() == []


def test_two_methods_may_share() -> None:
    """A parameter that two methods name is trained once."""
    backbone = build_classifier(
        [dict(type='SelectiveTuning'), dict(type='SelectiveTuning', biases=False)]
    ).backbone
    assert len(backbone.tuned_names) == len(BIASES | FINAL_NORM | PREFIX)


def test_unknown_option() -> None:
    """Options are named."""
    with pytest.raises(TypeError, match='unexpected keyword'):
        SelectiveTuning(weights=True)
