"""The geometric encoding mixer."""

from __future__ import annotations

import pytest
import torch
from small_models import SMALL_BACKBONES, build_classifier, build_plain, clouds, logits
from torch import Tensor
from torch.nn import functional as F

from point_peft.methods.gem import ContextAdapter, SpatialAdapter

OWN = dict(type='GeometricEncodingMixer', hidden_dim=6, num_neighbors=4, num_latents=2)


def encoded(adapter: SpatialAdapter, x: Tensor, centers: Tensor) -> Tensor:
    """What is added to one cloud's patch tokens (G, C), token by token."""
    distances = torch.cdist(centers, centers)
    nearest = distances.argsort(dim=1)[:, :4]
    scale = distances.gather(1, nearest).mean()
    found = []
    for i in range(len(x)):
        weights = adapter.kernel((centers[nearest[i]] - centers[i]) / scale)
        found.append((weights * adapter.down(x[nearest[i]])).mean(dim=0))
    return adapter.up(F.gelu(torch.stack(found)))


def mixed(adapter: ContextAdapter, x: Tensor) -> Tensor:
    """What is added to the output of the attention for one cloud's tokens (L, C)."""
    x = adapter.down(x)
    latents = (adapter.latents[0] @ adapter.key(x).T / 6**0.5).softmax(dim=-1) @ adapter.value(x)
    return adapter.up(F.gelu((adapter.query(x) @ latents.T / 6**0.5).softmax(dim=-1) @ latents))


def test_formulas() -> None:
    """All blocks of a small Point-MAE."""
    model = build_classifier([OWN])
    method, plain, points = model.backbone.methods[0], build_plain(), clouds(2)
    tokens = plain.embed(points)
    x, pos = plain.sequence(tokens)
    for block, spatial, context in zip(plain.layers, method.spatial, method.context_adapters):
        x = x + pos
        added = [encoded(spatial, *of_cloud) for of_cloud in zip(x[:, 1:], tokens.centers)]
        x = torch.cat([x[:, :1], x[:, 1:] + torch.stack(added)], dim=1)
        normed = block.norm1(x)
        x = x + block.attn(normed) + torch.stack([mixed(context, of_cloud) for of_cloud in normed])
        x = x + block.mlp(block.norm2(x))
    torch.testing.assert_close(model.backbone(points).patches, plain.norm(x)[:, 1:], rtol=0, atol=1e-4)


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_fresh_one_changes_nothing(name: str) -> None:
    """To the bit; also without latent tokens, where there is no context adapter."""
    plain = logits(build_classifier(name=name), clouds())
    for changes in ({}, dict(num_latents=0)):
        fresh = build_classifier([OWN | changes], name=name, fresh=True)
        assert torch.equal(logits(fresh, clouds()), plain)
        assert bool(len(fresh.backbone.methods[0].context_adapters)) != bool(changes)


def test_size_and_coincident_centers() -> None:
    """Offsets do not depend on the size of the cloud, and coincident centers give finite ones."""
    method = build_classifier([OWN]).backbone.methods[0]
    small, large = (method._surroundings(scale * clouds()) for scale in (0.5, 8.0))
    assert torch.equal(small.index, large.index)
    torch.testing.assert_close(small.offsets, large.offsets)
    assert method._surroundings(torch.zeros(1, 5, 3)).offsets.eq(0).all()


def test_wrong_arguments() -> None:
    """Refused with what is wrong."""
    with pytest.raises(ValueError, match='num_latents=-1; choose 0 or more'):
        build_classifier([OWN | dict(num_latents=-1)])
    with pytest.raises(ValueError, match='num_neighbors=17, but a stage has 16 tokens'):
        logits(build_classifier([OWN | dict(num_neighbors=17)]), clouds())
