"""LoRA."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_models import build_classifier, build_plain, clouds, logits, train
from torch import nn

import point_peft.methods.lora
from point_peft.methods import LoRA


def test_by_hand() -> None:
    """x + (alpha / r) B A x with alpha / r = 2, A = (1 1), B = (3, 4)^T: 2 * 7 * (3, 4) is added for x = (3, 4)."""
    method = LoRA(rank=1, alpha=2)
    update = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Linear(1, 2, bias=False))
    with torch.no_grad():
        update[0].weight.copy_(torch.tensor([[1.0, 1.0]]))
        update[1].weight.copy_(torch.tensor([[3.0], [4.0]]))
    out = method._add(update)(torch.tensor([3.0, 4.0]), torch.tensor([1.0, 0.0]))
    assert out.tolist() == [43, 56]


@pytest.mark.parametrize('targets', [['attn.qkv'], ['attn.qkv', 'mlp.fc1', 'mlp.fc2'], ['attn.proj']])
def test_equals_merged_weights(targets: list[str]) -> None:
    """Adding the low-rank product to the frozen weights gives the same network."""
    model = build_classifier([dict(type='LoRA', rank=3, alpha=6, targets=targets)])
    method = model.backbone.methods[0]
    merged = build_plain()
    layers = [block.get_submodule(target) for block in merged.layers for target in targets]
    assert len(layers) == len(method.updates)
    with torch.no_grad():
        for layer, (down, up) in zip(layers, method.updates):
            layer.weight += 2 * up.weight @ down.weight
    plain = build_plain()(clouds()).patches
    torch.testing.assert_close(model.backbone(clouds()).patches, merged(clouds()).patches, atol=2e-5, rtol=0)
    assert (plain - merged(clouds()).patches).abs().max() > 1e-2


def test_fresh_update_changes_nothing() -> None:
    """B starts at zero and A does not."""
    fresh = build_classifier([dict(type='LoRA', rank=2)], fresh=True)
    assert torch.equal(logits(fresh, clouds()), logits(build_classifier(), clouds()))
    assert all(
        down.weight.abs().max() > 0 and up.weight.eq(0).all()
        for down, up in fresh.backbone.methods[0].updates
    )


def test_number_of_parameters() -> None:
    """r (in + out) for each of 4 * 3 layers, and only these are trained."""
    model = build_classifier([dict(type='LoRA', rank=2)])
    expected = 4 * 2 * ((48 + 144) + (48 + 192) + (192 + 48))
    trainable = {name for name, p in model.backbone.named_parameters() if p.requires_grad}
    assert sum(p.numel() for p in model.backbone.parameters() if p.requires_grad) == expected
    assert all(name.startswith('methods.0.updates.') for name in trainable)


def test_learns() -> None:
    """All updates get a gradient, and the loss falls."""
    model = build_classifier([dict(type='LoRA', rank=2)], fresh=True, drop_path_rate=0.0)
    losses = train(model, steps=6, lr=0.01)
    assert losses[-1] < losses[0]
    assert all(p.grad.abs().sum() > 0 for p in model.backbone.methods.parameters())


@pytest.mark.parametrize('target', ['attn.kv', 'norm1', 'mlp'])
def test_wrong_target(target: str) -> None:
    """What is no site of the blocks is refused, with those that there are, and what is no linear layer."""
    message = {
        'attn.kv': r"LoRA acts on 'attn.kv', but the blocks of PointMAE have no such site; .*attn\.qkv, attn\.proj",
        'norm1': "LoRA target 'norm1' is a LayerNorm, not a linear layer",
        'mlp': "LoRA target 'mlp' is a Mlp, not a linear layer",
    }
    with pytest.raises(ValueError, match=message[target]):
        build_classifier([dict(type='LoRA', targets=[target])])


def test_wrong_rank() -> None:
    """At least one."""
    with pytest.raises(ValueError, match='rank=0, but LoRA needs at least 1'):
        LoRA(rank=0)


def test_one_short_file() -> None:
    """The method is one file of at most 120 lines."""
    assert len(Path(point_peft.methods.lora.__file__).read_text().splitlines()) <= 120
