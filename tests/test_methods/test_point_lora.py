"""PointLoRA."""

from __future__ import annotations

import pytest
import torch
from compiled_models import SHALLOW, check_compiled_training, needs_compiler
from small_models import build_classifier, build_plain, clouds, logits
from torch import Tensor, nn

from point_peft.apis import init_model
from point_peft.methods import PEFTBackbone, PointLoRA

SMALL = dict(type='PointLoRA', rank=2, alpha=2, hidden_dim=4)
REST = dict(type='SelectiveTuning', biases=False, final_norm=False, embedding=True, positions=True)


def built() -> nn.Module:
    """A classifier whose head reads the selected tokens as published."""
    return build_classifier([SMALL, REST], head=dict(pool=('own_prefix', 'max_with_kept')))


def test_by_hand() -> None:
    """As the published forward: longer sequence, shared layers before every block, branches of qkv and proj."""
    model = built()
    method, plain, points = model.backbone.methods[0], build_plain(), clouds()
    backbone = model.backbone.backbone
    tokens = backbone.embed(points)
    coarse = tokens.centers[:, :8]
    near = torch.cdist(coarse, points).topk(16, largest=False).indices  # groups of twice the size
    groups = torch.stack([cloud[index] for cloud, index in zip(points, near)]) - coarse.unsqueeze(2)

    def best(features: Tensor, centers: Tensor, count: int) -> tuple[Tensor, Tensor]:
        score = method.predictor(features).squeeze(-1)
        order = score.argsort(dim=1, descending=True)[:, :count, None]
        return features.take_along_dim(order, 1), backbone.pos_embed(centers.take_along_dim(order, 1))

    fine = best(tokens.features, tokens.centers, 4)
    x, pos = backbone.sequence(tokens)
    selected = best(backbone.encoder(groups), coarse, 1)
    x, pos = torch.cat([x, fine[0], selected[0]], 1), torch.cat([pos, fine[1], selected[1]], 1)
    updates = iter(method.updates)

    def changed(layer: nn.Linear, branch: str) -> nn.Module:
        (down, up), mlp = next(updates)[:2], method.branches[branch]
        return lambda x: layer(x) + up(down(x)) + mlp(x)

    for block in plain.layers:
        x = x + pos
        x[:, 1:17] = x[:, 1:17] + method.patch_mlps[0](x[:, 1:17])
        x[:, 17:] = x[:, 17:] + method.selected_mlps[0](x[:, 17:])
        qkv, proj = changed(block.attn.qkv, 'attn_qkv_0'), changed(block.attn.proj, 'attn_proj_0')
        q, k, v = qkv(block.norm1(x)).unflatten(2, (3, 3, 16)).permute(2, 0, 3, 1, 4)
        attended = (q @ k.mT / 4).softmax(-1) @ v
        x = x + proj(attended.transpose(1, 2).flatten(2))
        x = x + block.mlp(block.norm2(x))
    x = plain.norm(x)
    pooled = torch.cat([x[:, 0], x[:, 1:].amax(1)], dim=1)
    torch.testing.assert_close(logits(model, points), model.head.cls_head_finetune(pooled), atol=2e-5, rtol=0)


def test_selection_learns_from_the_task() -> None:
    """Scores change no value, and get the gradient of the tokens that they select."""
    method = PointLoRA(hidden_dim=4)
    method.setup(build_plain())
    features = torch.randn(2, 16, 48)
    chosen, _ = method._select(features, torch.randn(2, 16, 3), 3)
    assert all(
        any(torch.equal(row, token) for token in cloud)
        for cloud, rows in zip(features, chosen)
        for row in rows
    )
    chosen.square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in method.predictor.parameters())


def test_order_of_the_points() -> None:
    """The first point starts the sampling; the others are a set."""
    model, points = built(), clouds()
    order = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + torch.randperm(63)])
    torch.testing.assert_close(logits(model, points[:, order]), logits(model, points), atol=1e-5, rtol=0)


@needs_compiler
def test_compiles() -> None:
    """Training is one graph with the same bits."""
    check_compiled_training(build_classifier([SMALL, REST], **SHALLOW['PointMAE']).train(), 4)


def test_trained_as_published() -> None:
    """772 752 parameters on Point-MAE for ScanObjectNN, head included, by the published rule; all have a role here."""
    with torch.device('meta'):
        model = init_model('pointlora/pointmae_scanobjnn', device='meta')
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 772_752


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(selected=(0.5,)), 'has 2 group_ratios, 2 size_ratios and 1 parts'),
        (dict(group_ratios=(1.0, 2.0)), r'a scale of 2\.0 of the groups .* parts in \(0, 1\]'),
        (dict(selected=(0.0, 0.5)), 'of which 0.0 are selected'),
        (dict(targets=['mlp']), "LoRA target 'mlp' is a Mlp, not a linear layer"),
    ],
)
def test_refused(arguments: dict, message: str) -> None:
    """What makes no selection, and what is not linear."""
    with pytest.raises(ValueError, match=message):
        PEFTBackbone(dict(type='PointMAE', embed_dim=48, depth=1, num_heads=3), [SMALL | arguments])


def test_too_few_points() -> None:
    """Groups of twice the size need as many points."""
    model = build_classifier([SMALL | dict(size_ratios=(1, 9))])
    with pytest.raises(ValueError, match='too few points to find neighbours'):
        logits(model, clouds())
