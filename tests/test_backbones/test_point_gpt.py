"""The PointGPT backbone: groups in a row, each seeing those before it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import golden_inputs
import pytest
import torch
from small_models import build_plain, clouds, scramble
from torch import nn

from point_peft.backbones import PointGPT
from point_peft.backbones.layers import causal_mask, sine_position
from point_peft.ops import farthest_point_sample, greedy_order, group


def test_groups_stand_in_a_row() -> None:
    """From neighbour to neighbour, starting with the first group; every field follows, the embedding too."""
    backbone, points = build_plain('PointGPT'), clouds()
    tokens, groups = backbone.embed(points), group(points, 16, 8)
    order = greedy_order(groups.centers)
    assert torch.equal(tokens.sampling_rank, order) and order[:, 0].eq(0).all()
    row = torch.arange(4)[:, None]
    assert torch.equal(tokens.centers, groups.centers[row, order])
    assert torch.equal(tokens.neighborhoods, groups.neighborhoods[row, order])
    assert torch.equal(tokens.center_index, groups.center_index[row, order])
    torch.testing.assert_close(tokens.features, backbone.encoder(groups.neighborhoods)[row, order])
    assert not torch.equal(tokens.centers, groups.centers)


@pytest.mark.parametrize('count', [1, 5, 12])
def test_first_groups_are_those_sampled_first(count: int) -> None:
    """In the order of farthest point sampling, although the tokens stand in another."""
    backbone, points = build_plain('PointGPT'), clouds()
    first = backbone.embed(points).first(count)
    assert (
        torch.equal(first.center_index, farthest_point_sample(points, count)) and first.sampling_rank is None
    )


@pytest.mark.parametrize('position', [1, 7, 15])
def test_causal(position: int) -> None:
    """Changing a group leaves the prefix and all earlier groups alone, in every block, and changes itself."""
    backbone = build_plain('PointGPT')
    tokens = backbone.embed(clouds())
    features, centers = tokens.features.clone(), tokens.centers.clone()
    features[:, position] += torch.randn(48)
    centers[:, position] += 0.3
    before = backbone.encode(tokens, hidden_layers=range(4))
    after = backbone.encode(replace(tokens, features=features, centers=centers), hidden_layers=range(4))
    assert torch.equal(after.prefix, before.prefix)
    for ours, theirs in [
        (after.patches, before.patches),
        *zip(after.hidden.values(), before.hidden.values()),
    ]:
        assert torch.equal(ours[:, :position], theirs[:, :position])
        assert (ours - theirs)[:, position:].abs().amax(dim=(0, 2)).min() > 1e-5


def test_class_token_sees_the_start_only() -> None:
    """As published it stands in front of the groups: it is the same for every cloud. All groups see it."""
    backbone = build_plain('PointGPT')
    before = backbone(clouds())
    assert before.class_index == 1 and before.prefix.shape == (4, 2, 48)
    assert torch.equal(before.prefix, backbone(clouds(seed=3)).prefix)
    with torch.no_grad():
        backbone.cls_token += torch.randn(48)
    after = backbone(clouds())
    assert torch.equal(after.prefix[:, 0], before.prefix[:, 0])
    assert (after.prefix - before.prefix)[:, 1].abs().max() > 1e-2
    assert (after.patches - before.patches).abs().amax(dim=(0, 2)).min() > 1e-5


def test_written_out() -> None:
    """Start token with the class token's position and the other way round, as published; positions in every block."""
    backbone = build_plain('PointGPT')
    tokens = backbone.embed(clouds())
    x = torch.cat(
        [backbone.blocks.sos.expand(4, 1, -1), backbone.cls_token.expand(4, 1, -1), tokens.features], dim=1
    )
    pos = [
        backbone.cls_pos.expand(4, 1, -1),
        backbone.sos_pos.expand(4, 1, -1),
        sine_position(tokens.centers, 48),
    ]
    for block in backbone.layers:
        x = block(x + torch.cat(pos, dim=1), attn_mask=causal_mask(18, x.device))
    features = backbone.encode(tokens)
    torch.testing.assert_close(torch.cat([features.prefix, features.patches], dim=1), backbone.blocks.ln_f(x))


def test_whole_steps_do_not_matter() -> None:
    """The positions are waves of period one, so moving a cloud by whole units changes nothing; by less, it does."""
    backbone, points = build_plain('PointGPT').double(), clouds().double()
    expected, shift = backbone(points).patches, torch.tensor([1.0, -2.0, 3.0])
    torch.testing.assert_close(backbone(points + shift).patches, expected, atol=1e-9, rtol=0)
    assert (backbone(points + shift / 4).patches - expected).abs().max() > 1e-2


def test_summary() -> None:
    """The maximum over the groups behind the start token; neither class token nor its position take part."""
    backbone = build_plain('PointGPT')
    tokens = backbone.embed(clouds())
    before = backbone.summarize(tokens)
    with torch.no_grad():
        backbone.cls_token += torch.randn(48)
        backbone.cls_pos += torch.randn(48)
    assert torch.equal(backbone.summarize(tokens), before)
    for parameter in (backbone.blocks.sos, backbone.sos_pos):
        with torch.no_grad():
            parameter += torch.randn(48)
        assert (backbone.summarize(tokens) - before).abs().max() > 1e-3


def test_summary_puts_tokens_in_a_row() -> None:
    """The first tokens come in the order of sampling; the descriptor is that of a backbone with so many groups."""
    backbone, points = build_plain('PointGPT'), clouds()
    tokens = backbone.embed(points)
    few = backbone.summarize(tokens.first(8))
    backbone.num_groups = 8
    torch.testing.assert_close(few, backbone.summarize(backbone.embed(points)), atol=1e-5, rtol=0)
    assert (few - backbone.summarize(tokens)).abs().max() > 1e-3


def test_unused_tensors() -> None:
    """What published files have and nothing uses: kept, not trained, and without effect."""
    backbone = build_plain('PointGPT')
    expected = backbone(clouds()).patches
    frozen = {name for name, parameter in backbone.named_parameters() if not parameter.requires_grad}
    assert frozen == {
        'norm.weight', 'norm.bias', 'blocks.increase_dim.0.weight', 'blocks.increase_dim.0.bias'
    }  # fmt: skip
    with torch.no_grad():
        for name in frozen:
            nn.init.constant_(backbone.get_parameter(name), float('nan'))
    assert torch.equal(backbone(clouds()).patches, expected)


def test_norm_of_hidden_features() -> None:
    """Published decoders read the blocks behind ``norm``; a model that does so trains it as its final norm."""
    plain, decoded = build_plain('PointGPT'), build_plain('PointGPT', hidden_norm=True)
    for backbone in (plain, decoded):
        seen = []
        backbone.layers[2].register_forward_hook(lambda _, args, x, seen=seen: seen.append(x))
        hidden = backbone(clouds(), hidden_layers=[2]).hidden[2]
        torch.testing.assert_close(hidden, backbone.norm(seen[0][:, 2:]))
    assert plain.final_norm() is plain.blocks.ln_f and decoded.final_norm() is decoded.norm
    assert decoded.norm.weight.requires_grad and torch.equal(
        decoded(clouds()).patches, plain(clouds()).patches
    )


def test_checkpoint(tmp_path: Path) -> None:
    """Of a pre-training file the ``GPT_Transformer.`` part is used, under the names that every block has here."""
    source = build_plain('PointGPT')
    scramble(source, seed=5)
    back = [('.norm1.', '.ln_1.'), ('.norm2.', '.ln_2.'), ('.attn.qkv.', '.attn.in_proj_')]
    back += [('.attn.proj.', '.attn.out_proj.'), ('.mlp.fc1.', '.mlp.0.'), ('.mlp.fc2.', '.mlp.2.')]
    state = {}
    for name, value in source.state_dict().items():
        for ours, published in back:
            name = name.replace(ours, published)
        state[f'module.GPT_Transformer.{name}'] = value
    blocks = {name.removeprefix('module.GPT_Transformer.') for name in state if '.layers.0.' in name}
    published = {name for name, _ in golden_inputs.description('pointgpt_s_cls')['state0']}
    assert len(blocks) == 12 and blocks < published
    torch.save({'base_model': state}, tmp_path / 'gpt.pth')
    backbone = build_plain('PointGPT', init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'gpt.pth')))
    backbone.init_weights()
    assert set(backbone.base_state()) == set(source.state_dict())
    assert torch.equal(backbone(clouds()).patches, source(clouds()).patches)


@pytest.mark.parametrize(
    ('size', 'expected'),
    [
        (dict(embed_dim=768, num_heads=12, patch_dims=(256, 512, 1024, 2048)), 768),
        (dict(embed_dim=1024, depth=24, num_heads=16, patch_dims=(256, 512, 1024, 2048)), 1024),
    ],
    ids=['B', 'L'],
)
def test_larger_sizes_can_be_built(size: dict, expected: int) -> None:
    """B and L have a longer patch embedding; positions fill what they can of the width."""
    with torch.device('meta'):
        backbone = PointGPT(**size)
    assert backbone.layer_dims == [expected] * len(backbone.layers)
    assert [layer.out_channels for layer in backbone.encoder.first_conv if isinstance(layer, nn.Conv1d)] == [
        256, 512, 1024
    ]  # fmt: skip
    assert backbone.encoder.second_conv[-1].out_channels == expected
