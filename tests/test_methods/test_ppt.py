"""PPT."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import init_default_scope
from small_models import build_classifier, clouds

from point_peft.apis import get_config
from point_peft.ops import group
from point_peft.registry import MODELS

METHODS = [
    dict(type='PPT', hidden_dim=4),
    dict(type='SelectiveTuning', biases=False, final_norm=False, embedding=True, positions=True),
]


@pytest.mark.parametrize(('group_ratio', 'size_ratio'), [(0.5, 2), (1.0, 1)])
def test_against_the_formula(group_ratio: float, size_ratio: int) -> None:
    """Blocks over class token, patch tokens and prompts, each with its MLP, and one of all inside."""
    model = build_classifier([dict(type='PPT', hidden_dim=4, group_ratio=group_ratio, size_ratio=size_ratio)])
    method, plain = model.backbone.methods[0], model.backbone.backbone
    features = model.backbone(clouds())
    model.backbone.detach()
    x, pos = plain.sequence(plain.embed(clouds()))
    coarse = group(clouds(), round(16 * group_ratio), 8 * size_ratio)
    x = torch.cat([x, plain.encoder(coarse.neighborhoods)], dim=1)
    pos = torch.cat([pos, plain.pos_embed(coarse.centers)], dim=1)
    on_patches, on_prompts, on_all = (
        mlps[0] for mlps in (method.patch_mlps, method.prompt_mlps, method.block_mlps)
    )
    for block in plain.layers:
        cls, patches, prompts = (x + pos).tensor_split([1, 17], dim=1)
        x = torch.cat([cls, patches + on_patches(patches), prompts + on_prompts(prompts)], dim=1)
        x = x + block.attn(block.norm1(x))
        x = x + block.mlp(block.norm2(x)) + on_all(x)
    x = plain.norm(x)
    torch.testing.assert_close(features.patches, x[:, 1:17])
    torch.testing.assert_close(features.kept, x[:, 17:])


@pytest.mark.parametrize('wrong', [dict(group_ratio=0.0), dict(group_ratio=1.5), dict(size_ratio=0)])
def test_wrong_scales(wrong: dict) -> None:
    """At least a group of at least a point, and no more groups than there are."""
    with pytest.raises(ValueError, match='the first must be a part in'):
        build_classifier([dict(type='PPT', **wrong)])


def test_decoder_reads_prompts() -> None:
    """Side by side with the patch tokens of the blocks that a head asks for."""
    model = build_classifier(METHODS)
    features = model.backbone(clouds(), hidden_layers=[1, 3])
    assert features.joined_inserted([1, 3]).shape == (4, 8, 96)
    torch.testing.assert_close(features.hidden_inserted[3], features.kept)


@pytest.mark.parametrize('config', ['ppt/pointmae_scanobjnn', 'configs/ppt/release/pointmae_scanobjnn.py'])
def test_trained_parameters(config: str) -> None:
    """As published; scales change no parameters."""
    init_default_scope('point_peft')
    with torch.device('meta'):
        model = MODELS.build(get_config(config).model)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 1_042_191
