"""Seeds for mmdet3d's heads from the tokens of an encoder."""

from __future__ import annotations

import torch
from small_models import sizes

from point_peft.necks import SeedNeck
from point_peft.ops import three_nn
from point_peft.structures import SceneTokens

BACKBONE = sizes(8, layer_dims=[6, 8], decoder_layers=[[0], [1]])


def scene(batch: int = 2) -> SceneTokens:
    generator = torch.Generator().manual_seed(0)
    fine, coarse = (torch.rand(batch, count, 3, generator=generator) for count in (12, 5))
    tokens = [torch.randn(batch, count, width, generator=generator) for count, width in ((12, 6), (5, 8))]
    return SceneTokens(tokens=tokens, centers=[fine, coarse], index=torch.arange(12).expand(batch, -1))


def test_shapes_are_those_that_mmdet3d_reads() -> None:
    seeds = SeedNeck(BACKBONE, out_channels=10)(scene())
    assert {name: tuple(values[-1].shape) for name, values in seeds.items()} == dict(
        fp_xyz=(2, 12, 3), fp_features=(2, 10, 12), fp_indices=(2, 12)
    )
    assert seeds['fp_features'][-1].is_contiguous()  # mmcv's operations insist


def test_seeds_are_the_finest_centers() -> None:
    x = scene()
    seeds = SeedNeck(BACKBONE)(x)
    assert torch.equal(seeds['fp_xyz'][-1], x.centers[0]) and torch.equal(seeds['fp_indices'][-1], x.index)


def test_coarser_tokens_are_interpolated() -> None:
    """Independent: carry the coarse tokens point by point, then run the layers as matrices."""
    x, neck = scene(), SeedNeck(BACKBONE, out_channels=4).eval()
    index, weights = three_nn(x.centers[0], x.centers[1])
    expected = torch.zeros(2, 12, 8)
    for room in range(2):
        for seed in range(12):
            for k in range(3):
                expected[room, seed] += weights[room, seed, k] * x.tokens[1][room, index[room, seed, k]]
    hidden = torch.cat([x.tokens[0], expected], dim=-1)
    for layer, norm in zip(neck.layers, neck.norms):
        hidden = (hidden @ layer.weight.T / (1 + norm.eps) ** 0.5).clamp(min=0)
    torch.testing.assert_close(neck(x)['fp_features'][-1], hidden.mT, rtol=1e-5, atol=1e-6)
