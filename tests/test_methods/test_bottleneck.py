"""The bottleneck adapter."""

from __future__ import annotations

import math

import numpy as np
import pytest
import slow_methods
import torch
from small_models import build_classifier, build_plain, clouds, logits, scramble

from point_peft.methods.bottleneck import Bottleneck, QuickGELU


def test_quick_gelu_by_hand() -> None:
    """x sigmoid(1.702 x)."""
    expected = [0.0, 1 / (1 + math.exp(-1.702)), -2 / (1 + math.exp(3.404))]
    torch.testing.assert_close(QuickGELU()(torch.tensor([0.0, 1.0, -2.0])), torch.tensor(expected))


def test_bottleneck_against_numpy() -> None:
    """Down, activation, up, with biases and without residual."""
    layer = Bottleneck(6, hidden_dim=2).double().eval()
    scramble(layer)
    x = torch.randn(3, 6, dtype=torch.float64)
    weights = [parameter.detach().numpy() for parameter in layer.parameters()]
    np.testing.assert_allclose(
        layer(x).detach().numpy(), slow_methods.bottleneck(x.numpy(), *weights), atol=1e-12
    )


def test_fresh_bottleneck_is_zero() -> None:
    """But its down-projection is not, so it can learn."""
    layer = Bottleneck(6, hidden_dim=2)
    assert layer(torch.randn(3, 6)).eq(0).all() and layer.down.weight.abs().min() > 0


@pytest.mark.parametrize('activation', ['quick_gelu', 'relu'])
def test_residual_is_one_call(activation: str) -> None:
    """It adds what the bottleneck gives alone, and hooks see one call, with any activation."""
    layer = Bottleneck(16, hidden_dim=2, activation=activation).eval()
    scramble(layer)
    x = torch.randn(3, 16)
    expected = x + 0.5 * layer(x)
    calls: list[int] = []
    layer.register_forward_hook(lambda *_: calls.append(1))
    torch.testing.assert_close(layer(x, residual_scale=0.5), expected)
    assert len(calls) == 1


@pytest.mark.parametrize('at', ['mlp', 'attn'])
def test_formula(at: str) -> None:
    """The branch h of every block becomes h + scale * adapter(h)."""
    model = build_classifier([dict(type='BottleneckAdapter', dim=4, at=at, scale=0.25)])
    adapter = model.backbone.methods[0]
    plain = build_plain()
    for block, bottleneck in zip(plain.layers, adapter.adapters):
        block.get_submodule(at).register_forward_hook(lambda _, args, h, b=bottleneck: h + 0.25 * b(h))
    torch.testing.assert_close(model.backbone(clouds()).patches, plain(clouds()).patches, atol=3e-6, rtol=0)


def test_parallel_formula() -> None:
    """It reads what the sub-layer reads; scale and activation are those of the config."""
    methods = [dict(type='BottleneckAdapter', dim=4, parallel=True, scale=0.1, activation='relu')]
    model = build_classifier(methods)
    plain = build_plain()
    for block, bottleneck in zip(plain.layers, model.backbone.methods[0].adapters):
        assert isinstance(bottleneck.act, torch.nn.ReLU)
        block.mlp.register_forward_hook(lambda _, args, h, b=bottleneck: h + 0.1 * b(args[0]))
    torch.testing.assert_close(model.backbone(clouds()).patches, plain(clouds()).patches, atol=3e-6, rtol=0)


def test_fresh_adapter_changes_nothing() -> None:
    """Bit for bit, until it is trained."""
    fresh, plain = build_classifier([dict(type='BottleneckAdapter')], fresh=True), build_classifier()
    assert torch.equal(logits(fresh, clouds()), logits(plain, clouds()))
    tuned = build_classifier([dict(type='BottleneckAdapter')])
    assert (logits(tuned, clouds()) - logits(plain, clouds())).abs().max() > 1e-2


def test_dropout_in_training_only() -> None:
    """Random in train mode, not in eval mode."""
    layer = Bottleneck(6, hidden_dim=50, dropout=0.5)
    scramble(layer)
    x = torch.randn(3, 6)
    assert not torch.equal(layer.train()(x), layer(x)) and torch.equal(layer.eval()(x), layer(x))


def test_unknown_place() -> None:
    """The message names the choices."""
    with pytest.raises(
        ValueError, match="BottleneckAdapter acts on 'ffn', but the blocks of PointMAE have no such"
    ):
        build_classifier([dict(type='BottleneckAdapter', at='ffn')])
    with pytest.raises(ValueError, match="at='mlp.fc1' gives 192 channels, but the tokens have 48; use"):
        build_classifier([dict(type='BottleneckAdapter', at='mlp.fc1')])
    with pytest.raises(ValueError, match="at='mlp.fc2' reads 192 channels, but the tokens have 48; use"):
        build_classifier([dict(type='BottleneckAdapter', at='mlp.fc2', parallel=True)])
    with pytest.raises(
        ValueError, match=r"activation='swish' is unknown; use one of \['gelu', 'quick_gelu', 'relu'\]"
    ):
        build_classifier([dict(type='BottleneckAdapter', activation='swish')])
