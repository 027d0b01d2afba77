"""MoST."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from compiled_models import SHALLOW, check_compiled_training, needs_compiler
from method_matrix import trained_count
from small_models import SMALL_BACKBONES, build_classifier, build_plain, clouds, logits, scramble
from torch import Tensor
from torch.nn import functional as F

from point_peft.methods.most import Monarch, PointMonarch, Rectify

SMALL = [dict(type='MoST', num_blocks=4), dict(type='SelectiveTuning', biases=False, final_norm=False)]
FUSED = [SMALL[0] | dict(num_fused=2), SMALL[1]]


def dense(monarch: Monarch) -> Tensor:
    """The matrix (C, C): block-diagonal, permutation, block-diagonal, permutation back."""
    blocks, size, _ = monarch.first.shape
    order = torch.arange(blocks * size).view(size, blocks).T.flatten()  # every N-th channel
    permutation = torch.eye(blocks * size)[order]
    first, second = (torch.block_diag(*factor) for factor in (monarch.first, monarch.second))
    return permutation.T @ second @ permutation @ first


def rectified(rectify: Rectify, f: Tensor, centers: Tensor) -> Tensor:
    """Formula of K, token by token; (G, C)."""
    found = []
    for i in range(len(f)):
        distances = (centers - centers[i]).norm(dim=-1)
        nearest = distances.argsort()[1:5]
        weights = 1 / (distances[nearest] + 0.05)
        mean = (weights / weights.sum()) @ (f[nearest] - f[i])
        found.append(f[i] + rectify.gain * mean / (mean.square().mean() + 1e-6).sqrt())
    return torch.stack(found)


def by_hand(matrix: PointMonarch, x: Tensor, centers: Tensor, output: Tensor) -> Tensor:
    """Output of an attention plus ``K M K x``, cloud by cloud; one prefix token."""
    added, weight = [], dense(matrix.monarch)
    for tokens, places in zip(x, centers):
        tokens = torch.cat([tokens[:1], rectified(matrix.rectify_in, tokens[1:], places)])
        tokens = tokens @ weight.T + matrix.monarch.bias
        added.append(torch.cat([tokens[:1], rectified(matrix.rectify_out, tokens[1:], places)]))
    return output + torch.stack(added)


def test_formulas() -> None:
    """All blocks of a small Point-MAE, and the features of the second and the last that a head gets."""
    model = build_classifier(FUSED)
    method, plain, points = model.backbone.methods[0], build_plain(), clouds(2)
    tokens = plain.embed(points)
    x, pos = plain.sequence(tokens)
    left = []
    for block, matrix in zip(plain.layers, method.matrices):
        x = x + pos
        normed = block.norm1(x)
        x = x + by_hand(matrix, normed, tokens.centers, block.attn(normed))
        x = x + block.mlp(block.norm2(x))
        left.append(x[:, 1:].amax(dim=1) + x[:, 1:].mean(dim=1))
    fused = F.layer_norm(left[1] + 2 * left[3], [48], method.fused_norm.weight, method.fused_norm.bias)
    x = plain.norm(x)
    found = model.backbone(points)
    torch.testing.assert_close(found.prefix, x[:, :1], rtol=0, atol=1e-4)
    torch.testing.assert_close(found.patches, x[:, 1:] + fused.unsqueeze(1), rtol=0, atol=1e-4)


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_fresh_one_changes_nothing(name: str) -> None:
    """Without fusion, to the bit."""
    fresh = build_classifier(SMALL, name=name, fresh=True)
    assert torch.equal(logits(fresh, clouds()), logits(build_classifier(name=name), clouds()))


def test_trained_counts() -> None:
    """Of the published PointGPT-L, without the generator's four blocks and the norms that the code never uses.

    The rule of the code ('cls' or 'monarch' in the name) gives 8 142 095; the authors say 8.0 million.
    """
    matrix, unused = 2 * 8 * 128**2 + 3 * 1024, 2 * 2 * 1024
    found = trained_count('most/pointgpt_l_scanobjnn')
    assert found == 6_966_543
    assert found + 4 * (matrix + unused) + 24 * unused == 8_142_095
    assert found + 4 * matrix == 8_027_407
    assert trained_count('most/pointmae_scanobjnn') == 725_263


def test_fused_blocks() -> None:
    """Evenly spaced with the last, as published for 24; in a hierarchy those of the last stage."""
    for changes, expected in ((dict(depth=24), [7, 15, 23]), (dict(depth=4), [1, 2, 3])):
        model = build_classifier([SMALL[0] | dict(num_fused=3)], **changes)
        assert model.backbone.methods[0].fused == expected
    assert build_classifier(FUSED, name='PointM2AE').backbone.methods[0].fused == [2, 3]


def test_product() -> None:
    """As the product of its factors, which has entries everywhere."""
    monarch = Monarch(12, 4)
    scramble(monarch)
    x = torch.randn(3, 12)
    torch.testing.assert_close(monarch(x), x @ dense(monarch).T + monarch.bias)
    assert Monarch(12, 3)(x).eq(0).all() and dense(Monarch(12, 3)).shape == (12, 12)


def test_coincident_centers() -> None:
    """Weights and gradients stay finite."""
    model = build_classifier(FUSED, drop_path_rate=0.0)
    points = torch.zeros(2, 64, 3)
    points[:, :2] = torch.randn(2, 2, 3)
    out = model(dict(points=points))
    out.sum().backward()
    assert out.isfinite().all()
    assert all(p.grad.isfinite().all() for p in model.backbone.methods.parameters())


@pytest.mark.parametrize(
    ('changes', 'name', 'message'),
    [
        (dict(num_blocks=5), 'PointMAE', r'num_blocks=5 does not divide the token dimensions \[48\]'),
        (dict(num_blocks=8), 'PointM2AE', r'num_blocks=8 does not divide the token dimensions \[12\]'),
        (dict(num_fused=3), 'PointM2AE', 'num_fused=3, but the last stage has 2 blocks'),
    ],
)
def test_wrong_arguments(changes: dict[str, Any], name: str, message: str) -> None:
    """Refused with what is wrong."""
    with pytest.raises(ValueError, match=message):
        build_classifier([SMALL[0] | changes], name=name)


def test_too_few_tokens() -> None:
    """There must be neighbours besides the token."""
    with pytest.raises(ValueError, match='num_neighbors=16, but there are 16 tokens in a stage'):
        logits(build_classifier([SMALL[0] | dict(num_neighbors=16)]), clouds())


@needs_compiler
def test_compiled_training() -> None:
    """One graph, the same bits."""
    check_compiled_training(build_classifier(FUSED, **SHALLOW['PointMAE']).train(), 4)
