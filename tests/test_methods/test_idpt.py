"""IDPT."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import init_default_scope
from small_models import build_classifier, clouds

from point_peft.apis import get_config
from point_peft.registry import MODELS

METHODS = [
    dict(type='IDPT', num_neighbors=4),
    dict(type='SelectiveTuning', biases=False, final_norm=False),
]


def test_prompt() -> None:
    """It is made of what the block before gave, without positions, and stands in the sequence with its own."""
    model = build_classifier(METHODS)
    method, seen = model.backbone.methods[0], []
    last = model.backbone.backbone.layers[-1]
    last.norm1.register_forward_pre_hook(lambda _, args: seen.append(args[0][:, 1:2]))
    patches = model.backbone(clouds(), hidden_layers=[2])
    before: list[torch.Tensor] = []
    model.backbone.backbone.layers[2].register_forward_hook(lambda _, args, out: before.append(out[:, 1:]))
    model.backbone(clouds())
    prompt = method.generators[0](before[0]).amax(dim=1, keepdim=True)
    torch.testing.assert_close(seen[0], prompt + method.position_embedding)
    assert patches.num_kept == 1 and not patches.hidden_inserted


def test_several_prompts() -> None:
    """Before several blocks, for one block each: the head finds them where it asked for the blocks."""
    method = dict(type='IDPT', layers=(0, 2), num_convs=0, stay=False)
    model = build_classifier([method])
    features = model.backbone(clouds(), hidden_layers=[0, 1, 2])
    assert features.num_kept == 0 and set(features.hidden_inserted) == {0, 2}
    assert features.joined_inserted([0, 2]).shape == (4, 1, 96)
    with pytest.raises(ValueError, match=r'blocks \[0, 1\] have \[0, 1\] tokens of tuning methods'):
        features.joined_inserted([0, 1])


@pytest.mark.parametrize(
    ('name', 'layers', 'message'),
    [
        ('PointMAE', (4,), r'layers=\(4,\) must name blocks, each once, but the backbone has blocks 0 to 3'),
        ('PointMAE', (3, -1), 'each once'),
        ('PointMAE', (), 'must name blocks'),
        ('PointM2AE', (0, 3), r'blocks of widths \[12, 48\], but its prompts share a position'),
    ],
)
def test_wrong_layers(name: str, layers: tuple[int, ...], message: str) -> None:
    """They exist, each once, and are of one stage."""
    with pytest.raises(ValueError, match=message):
        build_classifier([dict(type='IDPT', layers=layers)], name=name)


def test_too_few_tokens() -> None:
    """A cloud needs as many tokens as a token has neighbours."""
    model = build_classifier([dict(type='IDPT')])
    with pytest.raises(ValueError, match='num_neighbors=20, but there are only 16 tokens'):
        model.backbone(clouds())


@pytest.mark.parametrize(
    ('config', 'count'),
    [
        ('idpt/pointmae_scanobjnn', 1_697_167),
        ('configs/idpt/release/pointmae_scanobjnn.py', 1_696_783),
    ],
)
def test_trained_parameters(config: str, count: int) -> None:
    """The published number, and the position beside it that is trained here."""
    init_default_scope('point_peft')
    with torch.device('meta'):
        model = MODELS.build(get_config(config).model)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == count
