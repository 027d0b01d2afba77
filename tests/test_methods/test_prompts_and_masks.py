"""Prompts in backbones whose attention is masked or split: who sees them, and that the rest keeps its order."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_models import SMALL_BACKBONES, build_classifier, clouds
from torch import Tensor

from point_peft.backbones.layers import causal_mask
from point_peft.backbones.point_m2ae import local_attention_mask
from point_peft.methods import PEFTBackbone
from point_peft.models import PointClassifier

NUM_PROMPTS = 3
PROMPTS = [dict(type='VPTDeep', num_tokens=NUM_PROMPTS)]


def prompted(name: str) -> PEFTBackbone:
    """A backbone with prompts in every block."""
    return build_classifier(PROMPTS, name=name).backbone


def masks_of(model: PEFTBackbone) -> list[Tensor]:
    """What the attention of each block was given in one forward."""
    seen = []
    for block in model.backbone.layers:
        block.attn.register_forward_pre_hook(lambda _, args: seen.append(args[1]))
    model(clouds())
    return seen


def without_prompts(mask: Tensor, num_prefix: int) -> Tensor:
    """The rows and columns of the other tokens."""
    length = mask.shape[-1]
    rest = [index for index in range(length) if not num_prefix <= index < num_prefix + NUM_PROMPTS]
    return mask[..., rest, :][..., rest]


def encode_changed(model: PEFTBackbone, position: int) -> tuple[Tensor, Tensor]:
    """Tuned patch tokens of the clouds' groups, and of the same with one group changed."""
    tokens = model.backbone.embed(clouds())
    features = tokens.features.clone()
    features[:, position] += torch.randn(features.shape[-1])
    changed = model(clouds(), transform_tokens=lambda tokens: replace(tokens, features=features))
    return model(clouds()).patches, changed.patches


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_every_token_sees_the_prompts(name: str) -> None:
    """Changing the prompts of the last block changes every patch token, and every prefix token that attends."""
    model = prompted(name)
    before = model(clouds())
    with torch.no_grad():
        model.methods[0].embeddings[-1].add_(torch.randn(NUM_PROMPTS, 48))
    after = model(clouds())
    assert (after.patches - before.patches).abs().amax(dim=-1).min() > 1e-5
    if model.backbone.num_prefix_tokens:
        assert (after.prefix - before.prefix).abs().amax(dim=-1).min() > 1e-5


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_prompts_leave_no_trace_in_the_shapes(name: str) -> None:
    """The tokens of every block are those of the plain backbone in number."""
    model = prompted(name)
    layers = range(len(model.backbone.layers))
    tuned, plain = model(clouds(), hidden_layers=layers), model.backbone(clouds(), hidden_layers=layers)
    for index in layers:
        assert tuned.hidden[index].shape == plain.hidden[index].shape
    assert tuned.patches.shape == plain.patches.shape and tuned.prefix.shape == plain.prefix.shape


def test_causal_order_without_the_prompts() -> None:
    """The mask gets rows and columns of the prompts behind the prefix; the rest of it is the causal one."""
    for mask in masks_of(prompted('PointGPT')):
        assert mask.shape == (2 + NUM_PROMPTS + 16,) * 2
        assert mask[:, 2 : 2 + NUM_PROMPTS].all() and mask[2 : 2 + NUM_PROMPTS].all()
        assert torch.equal(without_prompts(mask, 2), causal_mask(18, mask.device))


@pytest.mark.parametrize('position', [3, 10])
def test_causal_tokens_stay_causal(position: int) -> None:
    """With prompts in every block, a group still does not reach those before it, and reaches those behind."""
    here, there = encode_changed(prompted('PointGPT'), position)
    assert torch.equal(here[:, :position], there[:, :position])
    assert (here - there)[:, position:].abs().amax(dim=(0, 2)).min() > 1e-5


def test_what_prompts_see_does_not_matter() -> None:
    """Their outputs are dropped behind the block, so another mask in their rows gives the same tokens."""
    block = prompted('PointGPT').backbone.layers[0]
    x = torch.randn(2, 2 + NUM_PROMPTS + 6, 48)
    mask = causal_mask(x.shape[1], x.device)
    mask[:, 2 : 2 + NUM_PROMPTS] = True
    other = mask.clone()
    other[2 : 2 + NUM_PROMPTS] = True
    ours, theirs = block(x, attn_mask=mask), block(x, attn_mask=other)
    rest = [0, 1, *range(2 + NUM_PROMPTS, x.shape[1])]
    assert torch.equal(ours[:, rest], theirs[:, rest]) and not torch.equal(ours[:, 3], theirs[:, 3])


def test_radius_mask_stays_with_its_tokens() -> None:
    """The rows and columns of the patch tokens are those of the radius mask; the release shifts them by the prompts."""
    model = prompted('PointM2AE')
    tokens = model.backbone.embed(clouds())
    masks = masks_of(model)
    stages = model.backbone.layer_stages
    for mask, stage in zip(masks, stages, strict=True):
        near = local_attention_mask(tokens.stage_centers[stage], model.backbone.local_radius[stage])
        assert mask[..., :NUM_PROMPTS, :].all() and mask[..., :NUM_PROMPTS].all()
        assert torch.equal(without_prompts(mask, 0), near)
        assert not near.all()
        shifted = torch.nn.functional.pad(near, (0, NUM_PROMPTS, 0, NUM_PROMPTS), value=True)
        assert not torch.equal(mask, shifted)


def test_far_tokens_stay_unseen() -> None:
    """In the first stage a changed token reaches the tokens within its radius and, prompts or not, no other."""
    model = prompted('PointM2AE')
    tokens = model.backbone.embed(clouds())
    features = tokens.features.clone()
    features[:, 5] += torch.randn(12)
    changed = model(
        clouds(), hidden_layers=[0], transform_tokens=lambda tokens: replace(tokens, features=features)
    )
    found = [model(clouds(), hidden_layers=[0]).hidden[0], changed.hidden[0]]
    near = (tokens.centers - tokens.centers[:, 5:6]).norm(dim=-1) < model.backbone.local_radius[0]
    assert torch.equal((found[0] - found[1]).abs().amax(dim=-1) > 0, near)


def test_masks_are_grown_once_per_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two blocks of the last stage share a mask."""
    from point_peft.methods import insertion

    calls, original = [], insertion.grow_mask
    monkeypatch.setattr(insertion, 'grow_mask', lambda *args: (calls.append(args), original(*args))[1])
    prompted('PointM2AE')(clouds())
    assert len(calls) == 3


def test_prompts_of_two_methods_under_a_mask() -> None:
    """Both are visible, the later ones in front of the earlier ones, and the rest keeps its order."""
    methods = [dict(type='VPTDeep', num_tokens=2), dict(type='VPTDeep', num_tokens=1)]
    model: PointClassifier = build_classifier(methods, name='PointGPT')
    for mask in masks_of(model.backbone):
        assert mask[:, 2:5].all() and torch.equal(without_prompts(mask, 2), causal_mask(18, mask.device))
    here, there = encode_changed(model.backbone, 7)
    assert torch.equal(here[:, :7], there[:, :7])
