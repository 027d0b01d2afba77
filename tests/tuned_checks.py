"""What holds for every tuning method, on every backbone, for objects, parts and rooms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.registry import init_default_scope
from small_models import (
    HEADS,
    build_classifier,
    build_plain,
    clouds,
    logits,
    scramble,
    small_config_of,
    state_of,
    train,
)
from small_part_models import CHANGES, head_of, part_batch, part_logits
from torch import Tensor, nn

from point_peft.apis import get_config
from point_peft.models import PartSegmentor, PointClassifier, SceneEncoder
from point_peft.registry import MODELS

Methods = Sequence[dict[str, Any]]


def check_objects(methods: Methods, name: str, *, pool: Sequence[str] = ()) -> PointClassifier:
    """A fresh classifier learns in all that is trained and nowhere else, mixes no clouds, and comes off again."""
    head = dict(pool=pool) if pool else HEADS.get(name, {})
    model = build_classifier(methods, name=name, head=head, fresh=True)
    before = state_of(model.backbone.backbone)
    losses = train(model, steps=8, lr=0.003)
    assert min(losses[4:]) < losses[0]
    check_gradients(model.backbone.methods)
    trained = {key for key, p in model.backbone.backbone.named_parameters() if p.requires_grad}
    for key, value in state_of(model.backbone.backbone).items():
        assert torch.equal(value, before[key]) == (key not in trained), key
    check_alone(lambda points: logits(model, points), clouds())
    assert torch.equal(model.backbone.detach()(clouds()).patches, build_plain(name)(clouds()).patches)
    model.backbone.attach()
    return model


def check_parts(methods: Methods, name: str) -> None:
    """The published part segmentation of the backbone trains all of the methods, and mixes no objects."""
    peft = dict(type='PEFTBackbone', methods=list(methods))
    model = PartSegmentor(small_config_of(name, **CHANGES.get(name, {})), head_of(name), peft=peft)
    scramble(model)
    inputs, samples = part_batch(4)
    model.train()(inputs, samples, mode='loss')['loss'].backward()
    check_gradients(model.backbone.methods)
    model.eval()
    check_alone(
        lambda points, category: part_logits(model, dict(points=points, category=category)), *inputs.values()
    )


def check_rooms(methods: Methods, name: str) -> None:
    """The encoder of rooms trains all of the methods, and mixes no rooms."""
    peft = dict(type='PEFTBackbone', methods=list(methods))
    encoder = SceneEncoder(small_config_of(name), dict(type='SeedNeck', out_channels=16), peft=peft)
    scramble(encoder)
    rooms = clouds(3, seed=2) + torch.tensor([10.0, -4.0, 1.0])
    encoder.train()(rooms)['fp_features'][-1].square().sum().backward()
    check_gradients(encoder.backbone.methods)
    encoder.eval()
    with torch.no_grad():
        check_alone(lambda points: encoder(points)['fp_features'][-1], rooms)


def check_gradients(methods: nn.Module) -> None:
    """Every parameter got one, but for biases that a batch norm takes out again."""
    for key, parameter in methods.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key


def check_alone(function: Any, *inputs: Tensor) -> None:
    """Each sample alone gives what it gives among the others, to 1e-5 of the largest value."""
    together = function(*inputs)
    alone = torch.cat([function(*(part[i : i + 1] for part in inputs)) for i in range(len(inputs[0]))])
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-5 * max(1.0, float(together.abs().max())))


def trained_count(config: str) -> int:
    """Trained parameters of the full-size model of a config."""
    init_default_scope('point_peft')
    with torch.device('meta'):
        model = MODELS.build(get_config(config).model)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
