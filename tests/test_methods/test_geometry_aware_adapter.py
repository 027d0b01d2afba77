"""The Geometry-aware Adapter against numpy, and its geometry."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import slow_methods
import torch
from small_models import build_classifier, clouds, logits, train
from torch import nn

from point_peft.backbones.layers import drop_path_rates
from point_peft.methods import GeometryAwareAdapter, TuningContext
from point_peft.methods.geometry_aware_adapter import LocalAttention, TokenGeometry
from point_peft.ops import flat_rows, group, interpolation_weights

HOOK = dict(type='GeometryAwareAdapter', num_neighbors=4, attn_dim=6, num_heads=2, hidden_dim=3)


def reference(adapter: GeometryAwareAdapter, index: int, num_regions: int) -> slow_methods.LocalExchange:
    """The weights of one block in numpy."""
    norm = adapter.pool_norms[index]
    local_norm, attn = adapter.norms[0], adapter.attns[0]
    values = [local_norm.weight, local_norm.bias, attn.qkv.weight, attn.proj.weight, attn.proj.bias]
    pool = [norm.running_mean, norm.running_var, norm.weight, norm.bias]
    return slow_methods.LocalExchange(
        *(value.detach().numpy() for value in values),
        adapter.num_heads,
        *(value.detach().numpy() for value in pool),
        num_regions,
        adapter.num_neighbors,
        adapter.center_scale,
        adapter.propagation_scale,
    )


@pytest.mark.parametrize(('ratio', 'num_regions'), [(0.5, 8), (0.25, 4), (1.0, 16)])
@pytest.mark.parametrize('scales', [(0.3, 0.3), (0.0, 1.0), (0.7, 0.1)])
def test_against_numpy(ratio: float, num_regions: int, scales: tuple[float, float]) -> None:
    """Exchange, then the bottleneck with its residual on all tokens, in float64."""
    hook = dict(HOOK, center_ratio=ratio, center_scale=scales[0], propagation_scale=scales[1])
    model = build_classifier([hook]).double()
    adapter, backbone = model.backbone.methods[0], model.backbone.backbone
    tokens = backbone.embed(clouds(2).double())
    context = TuningContext(clouds(2), tokens, 1, lambda tokens: tokens.features)
    context.states.append(adapter.begin(context))
    adapter.activity.encoding = context
    x = torch.randn(2, 17, 48, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    out = adapter._adapt(x, 2).detach().numpy()
    slow = reference(adapter, 2, num_regions)
    weights = [parameter.detach().numpy() for parameter in adapter.adapters[2].parameters()]
    for sample in range(2):
        patches = slow.exchange(x[sample, 1:].numpy(), tokens.centers[sample].numpy())
        expected = np.concatenate([x[sample, :1].numpy(), patches])
        expected = expected + slow_methods.bottleneck(expected, *weights)
        np.testing.assert_allclose(out[sample], expected, atol=1e-11)


@pytest.mark.parametrize(
    ('center_scale', 'expected'),
    [(0.0, [60, 36, 54, 120]), (1.0, [90, 72, 108, 180])],
    ids=['alone', 'with center'],
)
def test_propagation_by_hand(center_scale: float, expected: list[float]) -> None:
    """Four tokens on a line, regions at both ends: token 1 at distances 1 and 2 gets 4/5 and 1/5 of them.

    The ends hold 30 and 60; their regions too, and twice as much with their centers.
    """
    model = build_classifier([dict(HOOK, center_scale=center_scale, propagation_scale=1.0)])
    adapter = model.backbone.methods[0]
    for parameter in (*adapter.attns.parameters(), *adapter.norms.parameters()):
        torch.nn.init.zeros_(parameter)
    adapter.pool_norms[0] = torch.nn.Identity()
    tokens = torch.zeros(1, 4, 48)
    tokens[0, 0], tokens[0, 3] = 30.0, 60.0  # the GELU of large numbers is the identity
    weights = torch.tensor([[[1.0, 0.0], [0.8, 0.2], [0.2, 0.8], [0.0, 1.0]]])
    geometry = TokenGeometry(torch.tensor([[[0], [3]]]), torch.tensor([[0, 3]]), weights)
    out = adapter._exchange(tokens, 0, geometry)[0, :, 0]
    assert out.tolist() == pytest.approx(expected)


def test_geometry_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One grouping and one set of weights per forward, whatever the number of blocks; gone afterwards."""
    from point_peft.methods import geometry_aware_adapter as module

    calls = []
    for name in ('knn', 'interpolation_weights'):
        original = getattr(module, name)

        def counted(*args, name=name, original=original):  # noqa: ANN001, ANN002, ANN202
            calls.append(name)
            return original(*args)

        monkeypatch.setattr(module, name, counted)
    model = build_classifier([HOOK])
    logits(model, clouds())
    assert calls == ['knn', 'interpolation_weights'] and model.backbone.methods[0].activity.context is None


@pytest.mark.parametrize('name', ['PointMAE', 'PointGPT'])
def test_regions_are_those_of_farthest_point_sampling(name: str) -> None:
    """Sampling among the centers picks the same ones, of which those in the order of sampling are simply the first."""
    model = build_classifier([HOOK], name=name)
    adapter, tokens = model.backbone.methods[0], model.backbone.backbone.embed(clouds(3))
    (geometry,) = adapter.begin(TuningContext(clouds(3), tokens, 2, lambda tokens: tokens.features))
    regions = group(tokens.centers, tokens.centers.shape[1] // 2, HOOK['num_neighbors'])
    rows = flat_rows(regions.neighbor_index + 2, tokens.centers.shape[1] + 2)
    assert torch.equal(geometry.rows, rows) and torch.equal(geometry.anchors, rows[..., 0])
    assert torch.equal(geometry.interpolation[:, 2:], interpolation_weights(tokens.centers, regions.centers))
    assert not geometry.interpolation[:, :2].any()


def test_regions_of_a_hierarchy() -> None:
    """A stage's regions are what the next stage merges, the last stage finds its own; each stage has its attention."""
    model = build_classifier([HOOK], name='PointM2AE')
    adapter, backbone = model.backbone.methods[0], model.backbone.backbone
    tokens = backbone.embed(clouds(2))
    geometry = adapter.begin(TuningContext(clouds(2), tokens, 0, lambda tokens: tokens.features))
    assert [tuple(part.rows.shape) for part in geometry] == [(2, 16, 4), (2, 8, 4), (2, 4, 4)]
    for part, stage in zip(geometry, tokens.coarser):
        assert torch.equal(part.rows[0], stage.neighbor_index[0])
    for part, centers in zip(geometry, tokens.stage_centers):
        assert part.interpolation.shape == (2, centers.shape[1], part.rows.shape[1])
        own = torch.arange(part.rows.shape[1])  # a region's first neighbour is its center
        assert torch.equal(part.anchors, own + torch.tensor([[0], [centers.shape[1]]]))
        torch.testing.assert_close(
            part.interpolation[:, own, own], torch.ones(2, len(own)), atol=1e-4, rtol=0
        )
    assert [norm.normalized_shape for norm in adapter.norms] == [(12,), (24,), (48,)]
    assert [attn.proj.out_features for attn in adapter.attns] == [12, 24, 48]
    assert [norm.num_features for norm in adapter.pool_norms] == backbone.layer_dims


def test_prefix_is_not_mixed() -> None:
    """The class token takes part in the bottleneck only: changing it leaves the patches of the exchange alone."""
    model = build_classifier([HOOK])
    adapter, backbone = model.backbone.methods[0], model.backbone.backbone
    tokens = backbone.embed(clouds(2))
    adapter.activity.encoding = context = TuningContext(clouds(2), tokens, 1, lambda tokens: tokens.features)
    context.states.append(adapter.begin(context))
    x = torch.randn(2, 17, 48)
    changed = torch.cat([x[:, :1] + 1, x[:, 1:]], dim=1)
    assert torch.equal(adapter._adapt(x, 0)[:, 1:], adapter._adapt(changed, 0)[:, 1:])
    bottleneck = adapter.adapters[0]
    torch.testing.assert_close(adapter._adapt(x, 0)[:, 0], x[:, 0] + bottleneck(x[:, 0]))


def test_regions_are_local() -> None:
    """Far tokens reach a region neither through attention nor through pooling."""
    attention = LocalAttention(8, attn_dim=6, num_heads=2)
    tokens = torch.randn(2, 10, 8)
    index = flat_rows(torch.tensor([[[0, 1, 2], [7, 8, 9]]]).expand(2, -1, -1), 10)
    layer = functools.partial(attention, norm=nn.LayerNorm(8), rows=index)
    out = layer(tokens)
    assert out.shape == (2, 2, 3, 6) and attention.proj(out).shape == (2, 2, 3, 8)
    changed = tokens.clone()
    changed[:, 3:] *= torch.rand(8)  # a sum would be taken away by the norm
    assert torch.equal(layer(changed)[:, 0], out[:, 0])
    assert (layer(changed)[:, 1] - out[:, 1]).abs().max() > 1e-3


def test_drop_path_per_region() -> None:
    """In training the local attention of whole regions is dropped, with rates growing over the blocks."""
    model = build_classifier([dict(HOOK, drop_path=0.9)])
    adapter = model.backbone.methods[0].train()
    assert [layer.rate for layer in adapter.drop_paths] == pytest.approx(drop_path_rates(0.9, 4))
    torch.manual_seed(0)
    local = torch.ones(50, 8, 4, 6)
    dropped = adapter.drop_paths[3](local.flatten(0, 1)).view_as(local).eq(0).flatten(2)
    assert (dropped.all(dim=2) | ~dropped.any(dim=2)).all()
    assert dropped.float().mean().item() == pytest.approx(0.9, abs=0.05)
    assert not dropped[:, :, 0].all(dim=1).all()  # regions of one cloud are dropped independently


def test_learns() -> None:
    """Everything in it gets a gradient once the zero-initialised parts have moved, and the loss falls."""
    model = build_classifier([HOOK], fresh=True, drop_path_rate=0.0)
    losses = train(model, steps=8, lr=0.01)
    assert losses[-1] < losses[0]
    for name, parameter in model.backbone.methods.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize('ratio', [0, -0.5, 1.5])
def test_bad_ratio(ratio: float) -> None:
    """A share of the tokens."""
    with pytest.raises(ValueError, match=rf'center_ratio={ratio} is outside \(0, 1\]'):
        GeometryAwareAdapter(center_ratio=ratio)


def test_bad_heads() -> None:
    """Heads divide the width."""
    with pytest.raises(ValueError, match='num_heads=4 does not divide attn_dim=18'):
        LocalAttention(8, attn_dim=18, num_heads=4)


def test_regions_larger_than_the_cloud() -> None:
    """More neighbours than tokens: the message has both numbers."""
    with pytest.raises(
        ValueError, match='num_neighbors=20 tokens, but the last stage of the backbone has only 16'
    ):
        logits(build_classifier([dict(HOOK, num_neighbors=20)]), clouds())


def test_pool_norm() -> None:
    """With a layer norm clouds do not meet in training, with a batch norm they do; an unknown norm is refused."""
    for name in ('layer', 'batch'):
        model = build_classifier([dict(HOOK, pool_norm=name)]).eval()
        model.backbone.methods[0].pool_norms.train()
        together, alone = (model(dict(points=clouds(3)[:count]), mode='tensor')[:2] for count in (3, 2))
        assert torch.allclose(together, alone, atol=1e-5) == (name == 'layer')
    with pytest.raises(ValueError, match="pool_norm='group' is unknown"):
        GeometryAwareAdapter(pool_norm='group')
