"""DAPT."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import init_default_scope
from small_models import build_classifier, clouds
from torch.nn import functional as F

from point_peft.apis import get_config
from point_peft.registry import MODELS


def test_against_the_formula() -> None:
    """Blocks with adapters beside their feed-forward networks, and a prompt more in each than in the one before."""
    model = build_classifier([dict(type='DAPT', hidden_dim=4)])
    method, plain = model.backbone.methods[0], model.backbone.backbone
    features = model.backbone(clouds())
    model.backbone.detach()
    tokens = plain.embed(clouds())
    x, pos = plain.sequence(tokens)
    x = torch.cat([x[:, :1], tokens.features * method.embedding_scale + method.embedding_shift], dim=1)
    prompts = x[:, :0]
    for block, adapter, scale, shift in zip(plain.layers, method.adapters, method.scales, method.shifts):
        x = torch.cat([(x + pos)[:, :1], prompts, (x + pos)[:, 1:]], dim=1)
        x = x + block.attn(block.norm1(x))
        normed = block.norm2(x)
        inner = adapter.norm(normed)
        change = adapter.up(F.gelu(adapter.down(inner))) * F.relu(adapter.scale(inner))
        x = x + block.mlp(normed) + change
        new = F.gelu(change).mean(dim=1, keepdim=True) * scale + shift
        number = prompts.shape[1]
        prompts = torch.cat([x[:, 1 : 1 + number], new], dim=1)
        x = torch.cat([x[:, :1], x[:, 1 + number :]], dim=1)
    torch.testing.assert_close(features.patches, plain.norm(x[:, 1:]))
    torch.testing.assert_close(features.kept, plain.norm(prompts))
    torch.testing.assert_close(features.raw_prefix[:, 1:], prompts)


def test_adapters_start_at_zero() -> None:
    """With scales of one and shifts of zero patch tokens differ by zero prompts only."""
    model = build_classifier([dict(type='DAPT', hidden_dim=4, std=0.0)], fresh=True)
    features = model.backbone(clouds())
    assert not features.raw_prefix[:, -1:].any()
    assert features.num_kept == 4


def test_lost_graph_is_refused() -> None:
    """Prompts leave the inside of a block, so a block whose inside has no graph at first cannot be recomputed."""
    model = build_classifier([dict(type='DAPT', hidden_dim=4)]).train()
    block = model.backbone.backbone.layers[0]
    forward = block.forward
    block.forward = lambda *args: torch.utils.checkpoint.checkpoint(forward, *args, use_reentrant=True)
    with pytest.raises(ValueError, match=r'would lose its gradient .* use CheckpointImpl\.NO_REENTRANT'):
        model(dict(points=clouds()))


@pytest.mark.parametrize(
    ('config', 'count'),
    [
        ('dapt/pointmae_scanobjnn', 1_087_003),
        ('configs/dapt/release/pointmae_scanobjnn.py', 1_087_771),
    ],
)
def test_trained_parameters(config: str, count: int) -> None:
    """The published number, and without scale and shift of the final norm, which the head makes up for."""
    init_default_scope('point_peft')
    with torch.device('meta'):
        model = MODELS.build(get_config(config).model)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == count
