"""The encoder of rooms: places in metres, extra channels that change nothing at first, any backbone and method."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_models import (
    METHODS,
    SMALL_BACKBONES,
    clouds,
    fill_bank,
    fitted_of,
    methods_for,
    scramble,
    small_config_of,
)
from torch import Tensor

from point_peft.engine.checkpoint import external_keys
from point_peft.models import SceneEncoder
from point_peft.ops import gather

STAGES = {'PointM2AE': ((0,), (1,), (2, 3))}
NECK = dict(type='SeedNeck', out_channels=16)


def encoder_of(name: str = 'PointMAE', method: str | None = None, **arguments: Any) -> SceneEncoder:
    peft = None if method is None else dict(type='PEFTBackbone', methods=methods_for(name)[method])
    torch.manual_seed(0)
    backbone = small_config_of(name, decoder_layers=STAGES.get(name, ((0, 3),)))
    encoder = SceneEncoder(backbone, NECK, peft=peft, **arguments)
    scramble(encoder.backbone)
    fill_bank(encoder)
    return encoder.eval()


def rooms(batch: int = 2, num_points: int = 64, columns: int = 4) -> Tensor:
    points = torch.cat([clouds(batch, num_points), torch.rand(batch, num_points, columns - 3)], dim=-1)
    points[..., :3] += torch.tensor([10.0, -4.0, 1.0])
    return points


@pytest.mark.parametrize('name', SMALL_BACKBONES)
@pytest.mark.parametrize('method', [None, 'point_peft', 'lora'])
def test_places_are_points_of_the_room(name: str, method: str | None) -> None:
    encoder, points = encoder_of(name, method), rooms()
    scene = encoder.encode(points)
    torch.testing.assert_close(scene.centers[0], gather(points[..., :3], scene.index), rtol=0, atol=1e-5)
    for tokens, centers, layers in zip(scene.tokens, scene.centers, encoder.stages):
        width = sum(encoder.backbone.layer_dims[layer] for layer in layers)
        assert tokens.shape == (*centers.shape[:2], width)
    assert torch.isfinite(scene.tokens[0]).all()


@pytest.mark.parametrize('name', ['PointMAE', 'PointM2AE'])
def test_seeds_are_the_necks(name: str) -> None:
    """The neck, which the encoder builds, fits the blocks that the backbone names."""
    encoder, points = encoder_of(name), rooms()
    seeds, scene = encoder(points), encoder.encode(points)
    assert torch.equal(seeds['fp_xyz'][-1], scene.centers[0])
    assert torch.equal(seeds['fp_features'][-1], encoder.neck(scene)['fp_features'][-1])
    assert seeds['fp_features'][-1].shape == (2, 16, scene.centers[0].shape[1])


@pytest.mark.parametrize('method', [None, 'point_peft'])
def test_extra_channels_start_without_effect(method: str | None) -> None:
    points = rooms()
    plain = encoder_of(method=method).encode(points)
    encoder = encoder_of(method=method, extra_channels=1)
    assert torch.equal(encoder.encode(points).tokens[0], plain.tokens[0])
    encoder.extra.project.weight.data.normal_()
    assert not torch.allclose(encoder.encode(points).tokens[0], plain.tokens[0])


def test_extra_channels_get_a_gradient_at_the_start() -> None:
    encoder = encoder_of(method='linear_probe', extra_channels=1)
    encoder.encode(rooms()).tokens[0].square().sum().backward()
    assert encoder.extra.project.weight.grad.abs().sum() > 0


@pytest.mark.parametrize('method', [None, *METHODS])
def test_rooms_do_not_affect_each_other(method: str | None) -> None:
    encoder, points = encoder_of(method=method, extra_channels=1), rooms(3)
    encoder.extra.project.weight.data.normal_()
    together = encoder.encode(points).tokens[0]
    for index in range(3):
        torch.testing.assert_close(
            encoder.encode(points[index : index + 1]).tokens[0][0], together[index], rtol=1e-4, atol=1e-4
        )


def test_moving_a_room_moves_the_seeds_only() -> None:
    encoder, points = encoder_of(), rooms().double()
    encoder.double()
    moved = points.clone()
    moved[..., :3] += torch.tensor([3.0, -7.0, 0.5])
    before, after = encoder.encode(points), encoder.encode(moved)
    torch.testing.assert_close(after.tokens[0], before.tokens[0])
    torch.testing.assert_close(
        after.centers[0] - before.centers[0], torch.tensor([3.0, -7.0, 0.5]).expand(2, 16, 3).double()
    )


def test_scale_is_undone() -> None:
    points = rooms()
    scene = encoder_of(scale=0.25).encode(points)
    torch.testing.assert_close(scene.centers[0], gather(points[..., :3], scene.index), rtol=0, atol=1e-5)


@pytest.mark.parametrize('method', [None, 'point_peft'])
def test_fewer_points_than_groups(method: str | None) -> None:
    encoder, points = encoder_of(method=method, extra_channels=1), rooms(num_points=5)
    encoder.train()
    scene = encoder.encode(points)
    assert scene.index.max() < 5 and scene.tokens[0].shape[1] == 16
    scene.tokens[0].sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name


def test_too_few_columns() -> None:
    with pytest.raises(ValueError, match='have 3 columns, but the encoder wants 3 coordinates and 1 more'):
        encoder_of(extra_channels=1)(rooms()[..., :3])


def test_owner_names_what_is_not_trained() -> None:
    encoder = encoder_of(method='point_peft')
    assert external_keys(encoder) == {'backbone.methods.0.bank.keys'} and fitted_of(encoder).content_hash()
    assert external_keys(encoder) < set(encoder.state_dict())


def test_points_of_the_memory_bank_are_those_of_the_forward() -> None:
    encoder, points = encoder_of(), rooms()
    seen = []
    encoder.backbone.embed, embed = lambda x: seen.append(x) or embed(x), encoder.backbone.embed
    encoder.encode(points)
    assert torch.equal(seen[0], encoder.backbone_points(dict(points=list(points))))
