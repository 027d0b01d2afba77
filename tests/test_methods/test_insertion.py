"""Tokens that methods put into the sequence: for a block, or to stay."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
import torch
from small_models import SMALL_BACKBONES, build_classifier, build_plain, clouds, logits, train
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
    CheckpointImpl,
    apply_activation_checkpointing,
    checkpoint_wrapper,
)

from point_peft.backbones import PointBackbone
from point_peft.backbones.layers import Block
from point_peft.methods import Inserted, TuningMethod
from point_peft.registry import MODELS


class Guests(TuningMethod):
    """Tokens that enter before a block and stay."""

    def __init__(self, num_tokens: int = 2, *, layer: int = 0, with_positions: bool = False) -> None:
        super().__init__()
        self.num_kept_tokens, self.layer, self.with_positions = num_tokens, layer, with_positions

    def setup(self, backbone: PointBackbone) -> None:
        """Tokens, and perhaps positions, of the stage in which they enter."""
        shape = (1, self.num_kept_tokens, backbone.layer_dims[self.layer])
        self.tokens = nn.Parameter(torch.randn(shape))
        self.places = nn.Parameter(torch.randn(shape)) if self.with_positions else None

    def tokens_before(self, layer: int, x: Tensor) -> Inserted | None:
        """Once."""
        if layer != self.layer:
            return None
        return Inserted(self.tokens, stay=True, positions=self.places)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """The method is known by name in these tests only."""
    MODELS.register_module(module=Guests)
    yield
    MODELS.module_dict.pop('Guests')


def test_changed_before_every_block() -> None:
    """Kept tokens that a method changes, positions included, as they go into each block."""
    model = build_classifier([dict(type='Guests', with_positions=True)])
    guests, seen = model.backbone.methods[0], []
    before = guests.tokens_before

    def change(tokens: Tensor) -> Tensor:
        seen.append(tokens)
        return 2 * tokens

    def changed(layer: int, x: Tensor) -> Inserted | None:
        tokens = before(layer, x)
        return tokens and replace(tokens, change=change)

    guests.tokens_before, entered = changed, []
    for block in model.backbone.backbone.layers:
        block.norm1.register_forward_pre_hook(lambda _, args: entered.append(args[0][:, 1:3]))
    model.backbone(clouds())
    assert len(seen) == len(entered) == 4
    torch.testing.assert_close(seen[0], guests.tokens + guests.places)
    assert all(torch.equal(2 * tokens.expand_as(into), into) for tokens, into in zip(seen, entered))


@pytest.mark.parametrize('positions', [False, True])
def test_as_a_longer_sequence(positions: bool) -> None:
    """What comes out is what the blocks make of the longer sequence, positions added before every block."""
    model = build_classifier([dict(type='Guests', with_positions=positions)])
    features, guests, plain = model.backbone(clouds()), model.backbone.methods[0], build_plain()
    x, pos = plain.sequence(plain.embed(clouds()))
    own = guests.tokens.expand(len(x), -1, -1)
    places = guests.places.expand_as(own) if positions else torch.zeros_like(own)
    x = torch.cat([x[:, :1], own, x[:, 1:]], dim=1)
    pos = torch.cat([pos[:, :1], places, pos[:, 1:]], dim=1)
    expected = plain.norm(plain.blocks(x, pos))
    torch.testing.assert_close(features.patches, expected[:, 3:])
    torch.testing.assert_close(features.prefix, expected[:, :3])
    assert torch.equal(features.kept, features.prefix[:, 1:]) and features.raw_prefix.shape[1] == 3


@pytest.mark.parametrize('name', SMALL_BACKBONES)
@pytest.mark.parametrize('layer', [0, 3])
def test_on_every_backbone(name: str, layer: int) -> None:
    """They reach a head that is built for them, through stages too; samples do not mix, everything learns."""
    methods = [
        dict(type='Guests', layer=layer),
        dict(type='VPTDeep', num_tokens=3),
        dict(type='LoRA', rank=2),
    ]
    model = build_classifier(methods, name=name, head=dict(pool=('prefix', 'max')))
    own = model.backbone.backbone.num_prefix_tokens
    assert model.backbone.num_prefix_tokens == own + 2
    assert model.backbone(clouds()).prefix.shape == (4, own + 2, 48)
    together = logits(model, clouds())
    alone = torch.cat([logits(model, cloud[None]) for cloud in clouds()])
    torch.testing.assert_close(alone, together, atol=1e-4, rtol=0)
    model(dict(points=clouds()), mode='tensor').square().sum().backward()
    for key, parameter in model.backbone.methods.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key
    assert torch.equal(logits(copy.deepcopy(model), clouds()), together)
    assert torch.equal(model.backbone.detach()(clouds()).patches, build_plain(name)(clouds()).patches)


def test_tokens_of_several_methods_stand_in_their_order() -> None:
    """Also where the later method's enter first."""
    methods = [dict(type='Guests', num_tokens=1, layer=2), dict(type='Guests', num_tokens=3)]
    model = build_classifier(methods)
    swapped = build_classifier(methods[::-1])
    for place, other in ((0, 1), (1, 0)):
        state = model.backbone.methods[place].state_dict()
        swapped.backbone.methods[other].load_state_dict(state)
    found, other = model.backbone(clouds()), swapped.backbone(clouds())
    torch.testing.assert_close(found.kept[:, :1], other.kept[:, 3:])
    torch.testing.assert_close(found.kept[:, 1:], other.kept[:, :3])


def test_unannounced_tokens_are_refused() -> None:
    """The head is built for what the methods say."""
    model = build_classifier([dict(type='Guests')])
    model.backbone.methods[0].num_kept_tokens = 1
    with pytest.raises(
        ValueError, match='3 prefix tokens reach the head, but it was built for 2; let num_kept_tokens'
    ):
        model.backbone(clouds())


@pytest.mark.parametrize('name', ['PointMAE', 'PointM2AE'])
def test_recomputed(name: str) -> None:
    """With blocks that run again in the backward of two forwards, the gradients are the same."""
    found = []
    for recomputed in (False, True):
        model = build_classifier([dict(type='Guests')], name=name).double()
        if recomputed:
            wrap = partial(checkpoint_wrapper, checkpoint_impl=CheckpointImpl.NO_REENTRANT)
            apply_activation_checkpointing(
                model, checkpoint_wrapper_fn=wrap, check_fn=lambda module: isinstance(module, Block)
            )
        outputs = [model(dict(points=clouds(seed=seed).double())) for seed in (0, 1)]
        sum(output.square().sum() for output in outputs).backward()
        found.append(model.backbone.methods[0].tokens.grad)
    torch.testing.assert_close(*found)


class Late(TuningMethod):
    """Shifts the tokens that leave every block from the third on, and needs no gradient below."""

    gradient_from = 2

    def setup(self, backbone: PointBackbone) -> None:
        """One shift per block."""
        self.shifts = nn.ParameterList(
            nn.Parameter(torch.full((dim,), 0.1)) for dim in backbone.layer_dims[2:]
        )

    def attach(self, backbone: PointBackbone) -> None:
        """Behind the blocks."""
        for block, shift in zip(backbone.layers[2:], self.shifts):
            self.on_output(block, lambda _, x, shift=shift: x + shift)


@pytest.mark.parametrize('other', [None, 'LoRA'])
def test_no_gradient_below(other: str | None) -> None:
    """Where all methods say so, nothing is computed in the backward below the block; a method that needs it gets it."""
    MODELS.register_module(module=Late)
    try:
        model = build_classifier([dict(type='Late'), *([dict(type=other)] if other else [])])
    finally:
        MODELS.module_dict.pop('Late')
    below: list[bool] = []
    model.backbone.backbone.layers[1].register_forward_hook(lambda _, args, x: below.append(x.requires_grad))
    losses = train(model, steps=3)
    assert losses[-1] < losses[0] and below == [bool(other)] * 3
    assert all(shift.grad.abs().sum() > 0 for shift in model.backbone.methods[0].shifts)
