"""PointGST."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from compiled_models import SHALLOW, check_compiled_training, needs_compiler
from small_models import SMALL_BACKBONES, build_classifier, clouds, logits
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from point_peft.apis import init_model
from point_peft.methods.point_gst import graph_basis

SMALL = dict(type='PointGST', rank=6)
REST = dict(type='SelectiveTuning', biases=False, final_norm=False)


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_fresh_changes_nothing(name: str) -> None:
    """The up projection starts at zero."""
    fresh = build_classifier([SMALL], name=name, fresh=True)
    assert torch.equal(logits(fresh, clouds()), logits(build_classifier(name=name), clouds()))


def test_trained_as_published() -> None:
    """622 831 parameters on Point-MAE for ScanObjectNN, head included, by the published rule."""
    with torch.device('meta'):
        model = init_model('pointgst/pointmae_scanobjnn', device='meta')
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 622_831


def test_basis() -> None:
    """Orthonormal eigenvectors of D - A with A = 1 / (d / d_min + I), each cloud with its own d_min."""
    centers = clouds(3, 12) * torch.tensor([1.0, 10.0, 0.1]).view(-1, 1, 1)
    distance = torch.cdist(centers.double(), centers.double(), compute_mode='donot_use_mm_for_euclid_dist')
    smallest = torch.stack([d[d > 0].min() for d in distance]).view(-1, 1, 1)
    adjacency = 1 / (distance / smallest + torch.eye(12))
    laplacian = torch.diag_embed(adjacency.sum(2)) - adjacency
    basis = graph_basis(centers.double())
    torch.testing.assert_close(basis.mT @ basis, torch.eye(12).double().expand(3, -1, -1), atol=1e-9, rtol=0)
    values = basis.mT @ laplacian @ basis
    torch.testing.assert_close(values, torch.diag_embed(values.diagonal(dim1=1, dim2=2)), atol=1e-9, rtol=0)


def test_by_hand() -> None:
    """A block: what enters the second norm is adapted beside the feed-forward network, patches through both graphs."""
    model = build_classifier([SMALL])
    method, backbone = model.backbone.methods[0], model.backbone.backbone
    tokens = backbone.embed(clouds())
    whole = graph_basis(tokens.centers)
    cells = ((tokens.centers - tokens.centers.amin(1, keepdim=True)) * 100).round().long()
    keys = [
        [
            sum((int(c[axis]) >> bit & 1) << 3 * bit + axis for bit in range(16) for axis in range(3))
            for c in cloud
        ]
        for cloud in cells
    ]
    orders = [sorted(range(16), key=key.__getitem__) for key in keys]
    x, pos = backbone.sequence(tokens)
    for block, adapter in zip(backbone.layers, method.adapters):
        x = x + pos
        x = x + block.attn(block.norm1(x))
        z = adapter.down(x)
        hidden = F.silu(z)

        def change(found: Tensor, norm: nn.Module, adapter: nn.Module = adapter) -> Tensor:
            return (F.silu(adapter.filter(norm(found))) - F.silu(adapter.filter(norm(-found)))) / 2

        for cloud, order in enumerate(orders):
            rows = z[cloud, 1:]
            hidden[cloud, 1:] += rows + whole[cloud] @ change(whole[cloud].T @ rows, adapter.whole_norm)
            for part in range(4):
                chosen = torch.tensor(order[4 * part : 4 * part + 4])
                basis = graph_basis(tokens.centers[cloud, chosen][None])[0]
                local = rows[chosen] + basis @ change(basis.T @ rows[chosen], adapter.local_norm)
                hidden[cloud, 1 + chosen] += local
        x = x + block.mlp(block.norm2(x)) + adapter.up(hidden)
    x = backbone.norm(x)
    pooled = torch.cat([x[:, 0], x[:, 1:].amax(1)], dim=1)
    torch.testing.assert_close(
        logits(model, clouds()), model.head.cls_head_finetune(pooled), atol=2e-5, rtol=0
    )


@pytest.mark.parametrize('name', ['PointMAE', 'PointM2AE'])
def test_signs_do_not_matter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eigenvectors times plus or minus one give the same logits."""
    model, eigh = build_classifier([SMALL], name=name), torch.linalg.eigh
    expected = logits(model, clouds())
    flipped: list[float] = []

    def other(matrix: Tensor) -> torch.return_types.linalg_eigh:
        values, vectors = eigh(matrix)
        sign = torch.randint(2, vectors.shape[:1] + (1, vectors.shape[2])) * 2.0 - 1
        flipped.append((sign < 0).double().mean().item())
        return torch.return_types.linalg_eigh((values, vectors * sign))

    monkeypatch.setattr(torch.linalg, 'eigh', other)
    torch.testing.assert_close(logits(model, clouds()), expected, atol=1e-5, rtol=0)
    assert 0.2 < sum(flipped) / len(flipped) < 0.8


def test_precision() -> None:
    """In float32 the value of float64, to 1e-3, also at the published number of groups."""
    model, points = build_classifier([SMALL], num_groups=128), clouds(4, 512)
    single = logits(model, points)
    double = logits(model.double(), points.double())
    torch.testing.assert_close(single.double(), double, atol=1e-3, rtol=0)


def test_coincident_centers() -> None:
    """Few distinct points, or a single one: finite, and so are gradients."""
    model = build_classifier([SMALL, REST])
    for points in (clouds(2)[:, :5].repeat(1, 13, 1)[:, :64], torch.zeros(2, 64, 3)):
        out = model(dict(points=points))
        out.sum().backward()
        assert out.isfinite().all()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_beside_prompts() -> None:
    """Tokens of others in the sequence are left to them."""
    model = build_classifier([dict(type='VPTDeep', num_tokens=3), SMALL])
    with torch.no_grad():
        for parameter in model.backbone.methods[1].adapters.parameters():
            parameter.zero_()
    alone = build_classifier([dict(type='VPTDeep', num_tokens=3)])
    torch.testing.assert_close(logits(model, clouds()), logits(alone, clouds()), atol=1e-6, rtol=0)


def test_activation_checkpointing() -> None:
    """Of what is in blocks, the same gradients; of whole blocks, refused with what to name instead."""
    found = []
    for parts in ((), ('attn', 'mlp'), ('',)):
        model = build_classifier([SMALL], drop_path_rate=0.0).train()
        for block in model.backbone.backbone.layers:
            for part in map(block.get_submodule, parts):
                part.forward = partial(checkpoint, part.forward, use_reentrant=True)
        if '' in parts:
            with pytest.raises(ValueError, match="name 'attn' and 'mlp' of the blocks"):
                model(dict(points=clouds()))
            continue
        torch.manual_seed(0)
        model(dict(points=clouds())).square().sum().backward()
        found.append([p.grad for p in model.backbone.methods.parameters()])
    torch.testing.assert_close(*found)


@needs_compiler
def test_compiles() -> None:
    """Training is one graph with the same bits."""
    check_compiled_training(build_classifier([SMALL, REST], **SHALLOW['PointMAE']).train(), 4)


def test_groups_that_cannot_be_divided() -> None:
    """Parts are of one size."""
    model = build_classifier([SMALL | dict(num_parts=3)])
    with pytest.raises(ValueError, match='cannot divide 16 groups into num_parts=3 of one size'):
        logits(model, clouds())
    with pytest.raises(ValueError, match='needs at least 1 of each'):
        build_classifier([SMALL | dict(rank=0)])
