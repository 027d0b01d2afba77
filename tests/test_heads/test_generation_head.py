"""The generation of each next group."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_models import build_plain, clouds, scramble, sizes
from torch import nn
from torch.nn import functional as F

from point_peft.backbones.layers import causal_mask, sine_position
from point_peft.heads import GenerationHead
from point_peft.structures import BackboneFeatures, PointTokens


def small_head(**changes: float) -> GenerationHead:
    """A head for the small PointGPT, with weights at which every part matters."""
    head = GenerationHead(sizes(48), depth=2, num_heads=3, group_size=8, **changes)
    scramble(head)
    return head.eval()


@pytest.fixture
def features() -> BackboneFeatures:
    """Features of four clouds."""
    with torch.no_grad():
        return build_plain('PointGPT')(clouds())


def test_shape(features: BackboneFeatures) -> None:
    """As many points as there are groups and points per group."""
    assert small_head()(features).shape == (4, 16, 8, 3) == features.tokens.neighborhoods.shape


@pytest.mark.parametrize('position', [0, 6, 14])
def test_a_group_depends_on_earlier_groups_only(features: BackboneFeatures, position: int) -> None:
    """Changing a token changes the groups that come after it; its own group and earlier ones stay."""
    head = small_head()
    patches = features.patches.clone()
    patches[:, position] += torch.randn(48)
    before, after = head(features), head(replace(features, patches=patches))
    assert torch.equal(after[:, : position + 1], before[:, : position + 1])
    assert (after - before)[:, position + 1 :].abs().amax(dim=(0, 2, 3)).min() > 1e-5


def test_the_first_group_follows_from_the_start(features: BackboneFeatures) -> None:
    """All groups depend on the start token; the last group's token and the class token are not used."""
    head = small_head()
    before = head(features)
    prefix = features.prefix.clone()
    prefix[:, 0] += torch.randn(48)
    after = head(replace(features, prefix=prefix))
    assert (after - before).abs().amax(dim=(0, 2, 3)).min() > 1e-5
    prefix, patches = features.prefix.clone(), features.patches.clone()
    prefix[:, 1] += torch.randn(48)
    patches[:, -1] += torch.randn(48)
    assert torch.equal(head(replace(features, prefix=prefix, patches=patches)), before)


def test_through_the_backbone() -> None:
    """Neither a later group's points nor those of the group itself reach it: nothing is copied."""
    backbone, head = build_plain('PointGPT'), small_head()
    tokens = backbone.embed(clouds())
    changed = tokens.features.clone()
    changed[:, 9] += torch.randn(48)
    before, after = (head(backbone.encode(t)) for t in (tokens, replace(tokens, features=changed)))
    assert torch.equal(after[:, :10], before[:, :10]) and not torch.equal(after[:, 10], before[:, 10])


def test_written_out(features: BackboneFeatures) -> None:
    """Tokens one behind, with the direction to the group as position; a norm; then points."""
    head, centers = small_head(), features.centers
    x = torch.cat([features.prefix[:, :1], features.patches[:, :-1]], dim=1)
    steps = centers[:, 1:] - centers[:, :-1]
    steps = steps / steps.norm(dim=-1, keepdim=True)
    pos = sine_position(torch.cat([centers[:, :1], steps], dim=1), 48)
    for block in head.generator_blocks.layers:
        x = block(x + pos, attn_mask=causal_mask(16, x.device))
    x = head.generator_blocks.ln_f(x)
    layer = head.generator_blocks.increase_dim[0]
    expected = F.linear(x, layer.weight.squeeze(-1), layer.bias).view(4, 16, 8, 3)
    torch.testing.assert_close(head(features), expected)


def test_centers_at_one_place(features: BackboneFeatures) -> None:
    """Groups that coincide have no direction between them; nothing becomes NaN."""
    same = torch.zeros_like(features.tokens.centers)
    head = small_head()
    loss = head.loss(replace(features, tokens=replace(features.tokens, centers=same)))['loss_generation']
    loss.backward()
    assert loss.isfinite() and all(p.grad.isfinite().all() for p in head.parameters() if p.requires_grad)


def test_loss_by_hand() -> None:
    """Two groups of one cloud at (0, 0, 0) and (4, 0, 0), each generated as its center's first neighbour.

    Group 0 is {(0, 0, 0), (3, 0, 0)}, generated as (0, 0, 0) twice: distances 0, 0 and 0, 3. Group 1 is
    {(4, 0, 0), (4, 1, 0)}, generated as (0, 0, 0) twice: 4, 4 and 4, sqrt 17.
    Absolute: ((0 + 0 + 4 + 4) / 4 + (0 + 3 + 4 + sqrt 17) / 4) / 2. Squared: (16 + 16) / 4 + (9 + 16 + 17) / 4.
    """
    head = GenerationHead(sizes(6), depth=1, num_heads=1, group_size=2, loss_weight=2.0)
    for parameter in head.generator_blocks.increase_dim.parameters():
        nn.init.zeros_(parameter)
    neighborhoods = torch.tensor([[[[0.0, 0, 0], [3, 0, 0]], [[0, 0, 0], [0, 1, 0]]]])
    tokens = PointTokens(
        features=torch.randn(1, 2, 6),
        centers=torch.tensor([[[0.0, 0, 0], [4, 0, 0]]]),
        neighborhoods=neighborhoods,
        center_index=torch.tensor([[0, 1]]),
    )
    loss = head.loss(BackboneFeatures(tokens.features, tokens, torch.randn(1, 2, 6), class_index=1))
    absolute = (8 / 4 + (3 + 4 + 17**0.5) / 4) / 2
    squared = 32 / 4 + (9 + 16 + 17) / 4
    assert set(loss) == {'loss_generation'}
    assert loss['loss_generation'].item() == pytest.approx(2 * (absolute + squared))


def test_loss_falls(features: BackboneFeatures) -> None:
    """Training the head alone brings the groups closer to the cloud's."""
    head = GenerationHead(sizes(48), depth=2, num_heads=3, group_size=8)
    optimizer = torch.optim.AdamW([p for p in head.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for _ in range(20):
        loss = head.loss(features)['loss_generation']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_unused_tensor_is_frozen(features: BackboneFeatures) -> None:
    """The start token of published files takes no part; everything else gets a gradient."""
    head = small_head()
    frozen = {name for name, parameter in head.named_parameters() if not parameter.requires_grad}
    assert frozen == {'generator_blocks.sos'}
    before = head(features)
    with torch.no_grad():
        head.generator_blocks.sos.fill_(float('nan'))
    assert torch.equal(head(features), before)
    head.loss(features)['loss_generation'].backward()
    live = {name for name, p in head.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert live == {name for name, _ in head.named_parameters()} - frozen


def test_default_weight(features: BackboneFeatures) -> None:
    """Three, as in published fine-tuning."""
    head, single = small_head(), small_head(loss_weight=1.0)
    torch.testing.assert_close(
        head.loss(features)['loss_generation'], 3 * single.loss(features)['loss_generation']
    )
