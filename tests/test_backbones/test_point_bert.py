"""The Point-BERT backbone."""

from __future__ import annotations

from pathlib import Path

import torch
from small_models import build_plain, clouds, scramble

from point_peft.backbones import PointBERT


def test_groups_are_embedded_in_fewer_channels() -> None:
    """The tokenizer's embedding, here in 40 channels, then a linear layer to C."""
    backbone = build_plain('PointBERT')
    tokens = backbone.embed(clouds())
    narrow = backbone.encoder(tokens.neighborhoods)
    assert narrow.shape == (4, 16, 40) and tokens.features.shape == (4, 16, 48)
    expected = narrow @ backbone.reduce_dim.weight.T + backbone.reduce_dim.bias
    torch.testing.assert_close(tokens.features, expected)


def test_after_the_embedding_it_is_a_plain_transformer() -> None:
    """Class token in front, positions before every block, a norm at the end."""
    backbone = build_plain('PointBERT')
    tokens = backbone.embed(clouds())
    pos = torch.cat([backbone.cls_pos.expand(4, -1, -1), backbone.pos_embed(tokens.centers)], dim=1)
    x = torch.cat([backbone.cls_token.expand(4, -1, -1), tokens.features], dim=1)
    for block in backbone.layers:
        x = block(x + pos)
    features = backbone.encode(tokens)
    torch.testing.assert_close(torch.cat([features.prefix, features.patches], dim=1), backbone.norm(x))


def test_published_settings() -> None:
    """64 groups, 256 channels; its own layer is initialised as the others."""
    torch.manual_seed(0)
    backbone = PointBERT(depth=1)
    assert backbone.num_groups == 64 and tuple(backbone.reduce_dim.weight.shape) == (384, 256)
    assert backbone.reduce_dim.bias.eq(0).all()
    assert 0.015 < backbone.reduce_dim.weight.std() < 0.025


def test_checkpoint(tmp_path: Path) -> None:
    """Of the two networks of pre-training the query's is used, class token included."""
    query, key = build_plain('PointBERT'), build_plain('PointBERT')
    scramble(query, seed=5)
    scramble(key, seed=6)
    state = {f'module.transformer_q.{name}': value for name, value in query.state_dict().items()}
    state |= {f'module.transformer_k.{name}': value for name, value in key.state_dict().items()}
    torch.save({'base_model': state}, tmp_path / 'bert.pth')
    backbone = build_plain(
        'PointBERT', init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'bert.pth'))
    )
    backbone.init_weights()
    assert set(backbone.base_state()) == set(query.state_dict())
    assert torch.equal(backbone(clouds()).patches, query(clouds()).patches)


def test_summary_uses_the_class_token() -> None:
    """It is pre-trained, so the descriptor is the maximum over the patch tokens that it takes part in."""
    backbone = build_plain('PointBERT')
    tokens = backbone.embed(clouds())
    before = backbone.summarize(tokens)
    assert torch.equal(before, backbone.encode(tokens).patches.amax(dim=1))
    with torch.no_grad():
        backbone.cls_pos += torch.randn(48)
    assert (backbone.summarize(tokens) - before).abs().max() > 1e-3
