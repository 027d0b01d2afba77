"""DoRA."""

from __future__ import annotations

import torch
from small_models import build_classifier, build_plain, clouds, logits, train


def test_equals_replaced_weights() -> None:
    """Every target computes with m (W + s B A) / |W + s B A|, norms over the inputs, and with its own bias."""
    targets = ['attn.qkv', 'mlp.fc1']
    model = build_classifier([dict(type='DoRA', rank=3, alpha=6, targets=targets)])
    method, plain = model.backbone.methods[0], build_plain()
    layers = [block.get_submodule(target) for block in plain.layers for target in targets]
    with torch.no_grad():
        for layer, (down, up), magnitude in zip(layers, method.updates, method.magnitudes, strict=True):
            weight = layer.weight + 2 * up.weight @ down.weight
            layer.weight.copy_(magnitude[:, None] * weight / weight.square().sum(dim=1, keepdim=True).sqrt())
    torch.testing.assert_close(model.backbone(clouds()).patches, plain(clouds()).patches, atol=2e-5, rtol=0)
    assert (plain(clouds()).patches - build_plain()(clouds()).patches).abs().max() > 1e-2


def test_starts_from_the_loaded_weights() -> None:
    """The magnitudes are those of the pre-trained weights, so nothing changes, bit for bit."""
    fresh = build_classifier([dict(type='DoRA', rank=2)], fresh=True)
    assert torch.equal(logits(fresh, clouds()), logits(build_classifier(), clouds()))
    layer, magnitude = fresh.backbone.backbone.layers[0].attn.qkv, fresh.backbone.methods[0].magnitudes[0]
    torch.testing.assert_close(magnitude.data, layer.weight.norm(dim=1))


def test_learns() -> None:
    """Updates and magnitudes get a gradient, none goes through the norm, and the loss falls."""
    model = build_classifier([dict(type='DoRA', rank=2)], fresh=True, drop_path_rate=0.0)
    losses = train(model, steps=6, lr=0.01)
    assert losses[-1] < losses[0]
    assert all(p.grad.abs().sum() > 0 for p in model.backbone.methods.parameters())


def test_gradient_by_hand() -> None:
    """Of an output W'x with the norm as a constant: of m it is W'x / m, of B it is m / |W'| s (A x)."""
    method = build_classifier([dict(type='DoRA', rank=1, alpha=1, targets=['attn.proj'])]).backbone.methods[0]
    layer = torch.nn.Linear(2, 1)
    update = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False), torch.nn.Linear(1, 1, bias=False))
    magnitude, x = torch.nn.Parameter(torch.tensor([2.0])), torch.tensor([1.0, 1.0])
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[2.0, 4.0]]))
        update[0].weight.copy_(torch.tensor([[1.0, 0.0]]))
        update[1].weight.fill_(1.0)  # W' = (3, 4) with norm 5
    out = method._rescale(layer, update, magnitude)(x, layer(x))
    torch.testing.assert_close(out.detach(), 2 / 5 * torch.tensor([7.0]) + layer.bias.detach())
    out.sum().backward()
    torch.testing.assert_close(magnitude.grad, torch.tensor([7 / 5]))
    torch.testing.assert_close(update[1].weight.grad, torch.tensor([[2 / 5]]))
