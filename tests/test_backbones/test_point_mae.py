"""The Point-MAE backbone."""

from __future__ import annotations

import golden_inputs
import pytest
import torch
from small_models import build_plain, clouds

from point_peft.backbones import PointMAE


def test_official_names_and_shapes() -> None:
    """Tensors are named and shaped as published, so that checkpoints load as they are; 22 M parameters."""
    published = dict(golden_inputs.description('pointmae_cls')['state0'])
    backbone = {name: shape for name, shape in published.items() if not name.startswith('cls_head_')}
    with torch.device('meta'):
        ours = PointMAE().state_dict()
    assert {name: list(value.shape) for name, value in ours.items()} == backbone


def test_encoder_names_and_shapes() -> None:
    """The encoder of pre-training has no class token."""
    published = dict(golden_inputs.description('pointmae_prior_eval')['state0'])
    encoder = {name[12:]: shape for name, shape in published.items() if name.startswith('MAE_encoder.')}
    with torch.device('meta'):
        ours = PointMAE(num_groups=64, class_token=False).state_dict()
    assert {name: list(value.shape) for name, value in ours.items()} == encoder


@pytest.mark.parametrize('class_token', [True, False])
def test_shapes(class_token: bool) -> None:
    """Patch tokens for every group, with their centers, and one prefix token or none."""
    backbone = build_plain(class_token=class_token)
    features = backbone(clouds())
    assert features.patches.shape == (4, 16, 48) and features.centers.shape == (4, 16, 3)
    assert features.prefix.shape == (4, int(class_token), 48) and features.hidden == {}
    assert backbone.num_prefix_tokens == int(class_token) == len(backbone.prefix_parameters()) // 2
    assert backbone.layer_dims == [48] * 4


def test_centers_are_points() -> None:
    """``center_index`` says which; neighbourhoods are relative to them and start at the center."""
    points = clouds()
    tokens = build_plain().embed(points)
    assert torch.equal(tokens.centers, points[torch.arange(4)[:, None], tokens.center_index])
    assert tokens.neighborhoods.shape == (4, 16, 8, 3) and tokens.neighborhoods[:, :, 0].eq(0).all()


def test_hidden_layers() -> None:
    """Patch tokens after the named blocks, behind the final norm; those of the last are the patch tokens."""
    backbone = build_plain()
    seen = {}
    for index, block in enumerate(backbone.layers):
        block.register_forward_hook(lambda _, args, x, index=index: seen.__setitem__(index, x[:, 1:]))
    features = backbone(clouds(), hidden_layers=[1, 3])
    assert sorted(features.hidden) == [1, 3]
    for index, value in features.hidden.items():
        torch.testing.assert_close(value, backbone.norm(seen[index]))
    torch.testing.assert_close(features.hidden[3], features.patches)


@pytest.mark.parametrize('class_token', [True, False])
def test_raw_prefix(class_token: bool) -> None:
    """The prefix tokens before the final norm."""
    backbone = build_plain(class_token=class_token)
    features = backbone(clouds())
    assert features.raw_prefix.shape == (4, int(class_token), 48)
    torch.testing.assert_close(backbone.norm(features.raw_prefix), features.prefix)


def test_summary_ignores_the_class_token() -> None:
    """The descriptor is that of the pre-training encoder: no class token, max over normed patch tokens."""
    backbone = build_plain()
    tokens = backbone.embed(clouds())
    before = backbone.summarize(tokens)
    encoder = build_plain(class_token=False)
    encoder.load_state_dict(backbone.state_dict(), strict=False)
    assert torch.equal(before, encoder(clouds()).patches.amax(dim=1))
    with torch.no_grad():
        backbone.cls_token += 1
        backbone.cls_pos += 1
    assert torch.equal(backbone.summarize(tokens), before)


def test_a_sample_does_not_depend_on_its_batch() -> None:
    """Alone, in a batch and in another order: the same features."""
    backbone, points = build_plain(), clouds(8)
    together = backbone(points).patches
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(backbone(points[order]).patches, together[order], atol=1e-5, rtol=0)
    alone = torch.cat([backbone(cloud[None]).patches for cloud in points])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=0)


def test_positions_are_absolute() -> None:
    """Moving a cloud leaves its neighbourhoods and their embedding alone, but not the encoded features."""
    backbone, points = build_plain(), clouds()
    here, there = backbone.embed(points), backbone.embed(points + 2)
    assert torch.equal(here.center_index, there.center_index)
    torch.testing.assert_close(here.features, there.features, atol=1e-4, rtol=0)
    assert (backbone.encode(here).patches - backbone.encode(there).patches).abs().max() > 0.1


@pytest.mark.parametrize(
    ('num_points', 'message'), [(15, 'num_points=15 < num_groups=16'), (7, 'num_points=7 < num_groups=16')]
)
def test_too_few_points(num_points: int, message: str) -> None:
    """Fewer points than groups: the message has both numbers."""
    with pytest.raises(ValueError, match=message):
        build_plain().embed(clouds(2, num_points))


def test_group_larger_than_cloud() -> None:
    """Fewer points than a group takes."""
    with pytest.raises(ValueError, match='num_points=20 < group_size=32'):
        build_plain(group_size=32).embed(clouds(2, 20))


def test_empty_cloud() -> None:
    """A cloud without points is refused with its shape."""
    with pytest.raises(ValueError, match=r'shape \(2, 0, 3\)'):
        build_plain().embed(torch.zeros(2, 0, 3))


def test_drop_path_grows() -> None:
    """From 0 in the first block to the given rate in the last."""
    rates = [block.drop_path.rate for block in build_plain(drop_path_rate=0.3).layers]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3])
