"""GAPrompt."""

from __future__ import annotations

import torch
from compiled_models import SHALLOW, check_compiled_training, needs_compiler
from small_models import build_classifier, build_plain, clouds, logits
from torch import nn
from torch.nn import functional as F

from point_peft.apis import init_model
from point_peft.engine.config import Combination, reason_against
from point_peft.methods.shift_net import ShiftNet
from point_peft.ops import group, interpolation_weights

SMALL = dict(type='GAPrompt', num_tokens=3, num_points=2, shift_group_size=8, hidden_dim=4, num_neighbors=4)
REST = dict(type='SelectiveTuning', biases=False, final_norm=False)
HEAD = dict(pool=('own_prefix', 'max', 'kept_mean'))


def test_not_for_detectors() -> None:
    """Its groups are not at places of the room."""
    reason = reason_against(Combination('gaprompt', 'pointmae', 'votenet_scannet'))
    assert 'moves the points' in reason
    assert reason_against(Combination('gaprompt', 'pointmae', 'scannet_seg')) is None


def test_by_hand() -> None:
    """As the published forward, but for the regions, which are of the cloud's own tokens."""
    model = build_classifier([SMALL, REST], head=HEAD)
    method, backbone, points = model.backbone.methods[0], model.backbone.backbone, clouds()
    shift, shape = method.shift_net(points)
    moved = points + 0.8 * shift * points
    cloud = torch.cat([moved, 5 * method.points.expand(4, -1, -1)], dim=1)
    shape = method.shape_outs[0](method.shape_mlp(shape)).unsqueeze(1)
    tokens = backbone.embed(cloud)
    regions = group(tokens.centers, 8, 4)
    weights = interpolation_weights(tokens.centers, regions.centers)
    x, pos = backbone.sequence(tokens)
    for layer, block in enumerate(backbone.layers):
        x = x + pos
        if layer < 2:
            prompts = method.embeddings[layer] + 0.5 * shape + backbone.pos_embed(method.places)
            x = block(torch.cat([x[:, :1], prompts, x[:, 1:]], dim=1))
            x = torch.cat([x[:, :1], x[:, 4:]], dim=1)
        else:
            x = block(x)
        cls, patches = x[:, :1], x[:, 1:]
        near = torch.stack([rows[index] for rows, index in zip(patches, regions.neighbor_index)])
        pooled = F.gelu(method.pool_norms[layer](near.amax(2).mT)).mT + 0.3 * near[:, :, 0]
        patches = patches + 0.3 * weights @ pooled
        adapter = method.adapters[layer]
        seen = adapter.norm(patches + 0.5 * shape * (layer < 2))
        hidden = adapter.down(seen)
        patches = patches + 0.7 * adapter.up(hidden * (1.702 * hidden).sigmoid())
        x = torch.cat([cls, patches], dim=1)
    x = backbone.norm(x)
    feature = torch.cat([x[:, 0], x[:, 1:].amax(1), shape[:, 0]], dim=1)
    torch.testing.assert_close(
        logits(model, points), model.head.cls_head_finetune(feature), atol=2e-5, rtol=0
    )


def test_shift_sees_neighbours() -> None:
    """Moving a point moves others that are near, in its cloud only."""
    torch.manual_seed(0)
    net = ShiftNet(8, 4).eval()
    points = clouds(2)
    changed = points.clone()
    changed[0, 5] += 0.3
    before, after = net(points)[0], net(changed)[0]
    assert (before - after)[0].abs().amax(dim=1).gt(0).sum() > 1 and torch.equal(before[1], after[1])


def test_coincident_points() -> None:
    """Clouds of few distinct points stay finite."""
    model = build_classifier([SMALL, REST], head=HEAD)
    points = clouds(2)[:, :4].repeat(1, 16, 1)
    assert logits(model, points).isfinite().all() and logits(model, torch.zeros(2, 64, 3)).isfinite().all()


def test_beside_the_point_prior_prompt() -> None:
    """Prompts of two methods stand in one sequence."""
    prior = dict(type='PointPriorPrompt', num_tokens=6, num_prior_groups=8)
    model = build_classifier([SMALL, prior, REST], head=HEAD)
    lengths: list[int] = []
    for block in model.backbone.backbone.layers:
        block.norm1.register_forward_pre_hook(lambda _, args: lengths.append(args[0].shape[1]))
    logits(model, clouds())
    assert [length for length in lengths if length > 16][-4:] == [26, 26, 17, 17]


@needs_compiler
def test_compiles() -> None:
    """Training is one graph with the same bits."""
    check_compiled_training(build_classifier([SMALL, REST], **SHALLOW['PointMAE']).train(), 4)


def test_trained() -> None:
    """Of the 628 147 that are published 600 487 have a role on Point-MAE for ScanObjectNN."""
    with torch.device('meta'):
        model: nn.Module = init_model('gaprompt/pointmae_scanobjnn', device='meta')
    dead = 6 * 10 * 384 + 12 * (384 + 1)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 628_147 - dead == 600_487


def test_shares_the_embedding() -> None:
    """What is not touched stays: the plain backbone after detaching."""
    model = build_classifier([SMALL, REST], head=HEAD)
    assert torch.equal(model.backbone.detach()(clouds()).patches, build_plain()(clouds()).patches)
