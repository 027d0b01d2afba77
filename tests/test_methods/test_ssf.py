"""SSF."""

from __future__ import annotations

import pytest
import torch
from small_models import build_classifier, build_plain, clouds, logits, train


def test_formula() -> None:
    """What every norm and linear layer of the blocks gives is scaled and shifted per channel."""
    model = build_classifier([dict(type='SSF', final_norm=True)])
    method, plain = model.backbone.methods[0], build_plain()
    sites = ('norm1', 'attn.qkv', 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2')
    layers = [block.get_submodule(site) for site in sites for block in plain.layers] + [plain.norm]
    for layer, scale, shift in zip(layers, method.scales, method.shifts, strict=True):
        layer.register_forward_hook(lambda _, args, y, scale=scale, shift=shift: scale * y + shift)
    torch.testing.assert_close(model.backbone(clouds()).patches, plain(clouds()).patches)
    assert (plain(clouds()).patches - build_plain()(clouds()).patches).abs().max() > 1e-2


def test_starts_at_the_identity() -> None:
    """Bit for bit; with the published deviation, near it."""
    plain = logits(build_classifier(), clouds())
    assert torch.equal(logits(build_classifier([dict(type='SSF')], fresh=True), clouds()), plain)
    near = build_classifier([dict(type='SSF', std=0.02)], fresh=True)
    for values, mean in ((near.backbone.methods[0].scales, 1), (near.backbone.methods[0].shifts, 0)):
        values = torch.cat(list(values))
        assert values.mean().item() == pytest.approx(mean, abs=2e-3)
        assert values.std().item() == pytest.approx(0.02, rel=0.1)


def test_learns() -> None:
    """Every scale and shift gets a gradient, and the loss falls."""
    model = build_classifier([dict(type='SSF')], fresh=True, drop_path_rate=0.0)
    losses = train(model, steps=6, lr=0.003)
    assert losses[-1] < losses[0]
    assert all(p.grad.abs().sum() > 0 for p in model.backbone.methods.parameters())


def test_wrong_site() -> None:
    """Only layers that can do it themselves."""
    with pytest.raises(ValueError, match="SSF site 'mlp' is a Mlp, not a linear layer or layer norm"):
        build_classifier([dict(type='SSF', sites=['mlp'])])
