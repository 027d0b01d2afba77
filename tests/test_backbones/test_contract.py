"""The contract of backbones: every registered one honours it, and has the properties that methods rely on."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import golden_inputs
import pytest
import torch
from small_models import SMALL_BACKBONES, build_plain, clouds, small_config_of
from torch import Tensor

import point_peft.release  # noqa: F401  so that what it registers is there in any order of the tests
from point_peft.backbones import PointBackbone, PointGPT, PointM2AE, check_backbone
from point_peft.io.weights.names import apply_renames
from point_peft.registry import MODELS


def registered_backbones() -> list[str]:
    """Names of all backbones of the package; those of ``release`` compute what published code does, right or wrong."""
    return sorted(
        name
        for name, module in MODELS.module_dict.items()
        if inspect.isclass(module)
        and issubclass(module, PointBackbone)
        and module.__module__.startswith('point_peft.')
        and not module.__module__.startswith('point_peft.release')
    )


every_backbone = pytest.mark.parametrize('name', registered_backbones())


@every_backbone
def test_contract(name: str) -> None:
    """A backbone that is added later fails here until it has a small config and honours the contract."""
    check_backbone(MODELS.build(small_config_of(name)), clouds(3))
    check_backbone(build_plain(name), clouds(3))


def test_all_are_covered() -> None:
    """The six of the field are registered, and no small config is left over."""
    six = {'ACT', 'PointBERT', 'PointGPT', 'PointM2AE', 'PointMAE', 'ReCon'}
    assert six <= set(registered_backbones()) and set(SMALL_BACKBONES) <= set(registered_backbones())


def test_a_backbone_without_small_config() -> None:
    """The sentence says what to add, and where."""
    with pytest.raises(
        AssertionError, match=r'PointNew has no small config: add one to SMALL_BACKBONES in tests/'
    ):
        small_config_of('PointNew')


@every_backbone
def test_order_of_points(name: str) -> None:
    """Beyond the first point, where farthest point sampling starts, it does not matter."""
    backbone, points = build_plain(name), clouds()
    order = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + torch.randperm(63)])
    with torch.no_grad():
        expected, found = backbone(points), backbone(points[:, order])
        summaries = [backbone.summarize(backbone.embed(given)) for given in (points, points[:, order])]
        other = backbone(points.roll(1, dims=1)).patches
    torch.testing.assert_close(found.patches, expected.patches, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.prefix, expected.prefix, atol=1e-5, rtol=0)
    torch.testing.assert_close(*summaries, atol=1e-5, rtol=0)
    assert (other - expected.patches).abs().max() > 1e-2


@every_backbone
def test_translation(name: str) -> None:
    """Moving a cloud moves the centers and nothing else of the tokens; what the blocks make of them changes."""
    backbone, points, shift = build_plain(name), clouds(), torch.tensor([0.25, -0.5, 0.125])
    with torch.no_grad():
        here, there = backbone.embed(points), backbone.embed(points + shift)
        change = (backbone.encode(here).patches - backbone.encode(there).patches).abs().max()
    assert torch.equal(here.center_index, there.center_index)
    torch.testing.assert_close(there.features, here.features, atol=1e-4, rtol=0)
    for ours, moved in zip(here.stage_centers, there.stage_centers, strict=True):
        torch.testing.assert_close(moved, ours + shift)
    for ours, moved in zip(here.coarser, there.coarser, strict=True):
        assert torch.equal(ours.neighbor_index, moved.neighbor_index)
    assert change > 1e-2  # positions are absolute


def hidden_norm(backbone: PointBackbone, index: int) -> Callable[[Tensor], Tensor]:
    """The norm behind which published decoders read the tokens of a block: the final one but for two."""
    if isinstance(backbone, PointGPT):
        return backbone.norm
    if isinstance(backbone, PointM2AE):
        return lambda x: backbone.h_encoder.close_stage(x, backbone.layer_stages[index])
    return backbone.final_norm()


@every_backbone
def test_hidden_layers(name: str) -> None:
    """Patch tokens after the named blocks, normed; asking for none gives the same features."""
    backbone, seen = build_plain(name), {}
    for index, block in enumerate(backbone.layers):
        block.register_forward_hook(lambda _, args, x, index=index: seen.__setitem__(index, x))
    last = len(backbone.layers) - 1
    features = backbone(clouds(), hidden_layers=[1, last])
    assert sorted(features.hidden) == [1, last]
    for index, value in features.hidden.items():
        patches = seen[index][:, backbone.num_prefix_tokens :]
        torch.testing.assert_close(value, hidden_norm(backbone, index)(patches))
    torch.testing.assert_close(
        features.patches, backbone.final_norm()(seen[last][:, backbone.num_prefix_tokens :])
    )
    without = backbone(clouds())
    assert without.hidden == {} and torch.equal(without.patches, features.patches)


@every_backbone
def test_tokens_are_groups_of_the_cloud(name: str) -> None:
    """``center_index`` says where a center is in the cloud, in any order of the tokens."""
    backbone, points = build_plain(name), clouds()
    tokens = backbone.embed(points)
    assert torch.equal(tokens.centers, points[torch.arange(4)[:, None], tokens.center_index])
    assert tokens.neighborhoods[:, :, 0].eq(0).all()
    picked = (
        tokens.center_index
        if tokens.sampling_rank is None
        else tokens.center_index.gather(1, tokens.sampling_rank.argsort(dim=1))
    )
    plain = build_plain(num_groups=backbone.num_groups).embed(points)
    assert torch.equal(picked, plain.center_index)


PUBLISHED = {
    'PointMAE': 'pointmae_cls',
    'PointBERT': 'pointbert_cls',
    'ReCon': 'recon_cls',
    'PointGPT': 'pointgpt_s_cls',
    'PointM2AE': 'pointm2ae_cls',
}
OF_HEADS = ('cls_head_finetune', 'cls_norm', 'generator_blocks')
"""Parts of a published model that are heads here."""


@pytest.mark.parametrize('name', PUBLISHED)
def test_official_names_and_shapes(name: str) -> None:
    """At full size, tensors are named and shaped as published (where need be, after the backbone's renames)."""
    published = dict(golden_inputs.description(PUBLISHED[name])['state0'])
    backbone_class = MODELS.get(name)
    expected = {
        apply_renames(key, backbone_class.checkpoint_renames): shape
        for key, shape in published.items()
        if not any(part in key for part in OF_HEADS)
    }
    with torch.device('meta'):
        ours = backbone_class().state_dict()
    assert {key: list(value.shape) for key, value in ours.items()} == expected
