"""A tuning method on every small backbone, in every task: what all of them promise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.registry import init_default_scope
from small_models import HEADS, SMALL_BACKBONES, build_plain, clouds, small_config_of
from small_part_models import CHANGES, PARTS, head_of
from torch import Tensor, nn

from point_peft.methods import PEFTBackbone
from point_peft.models import PartSegmentor, PointClassifier, SceneEncoder

TASKS = ('classification', 'part_seg', 'scene')
CELLS = [(name, task) for name in SMALL_BACKBONES for task in TASKS]

Run = Callable[[Tensor], Tensor]
Methods = Sequence[dict[str, Any]]


def tuned(name: str, task: str, methods: Methods, **head: Any) -> tuple[nn.Module, Run]:
    """A model of a task with fresh methods, and the function that gives its outputs (B, ...) for clouds (B, N, 3)."""
    init_default_scope('point_peft')
    torch.manual_seed(0)
    peft = dict(type='PEFTBackbone', methods=list(methods))
    changes = CHANGES.get(name, {}) if task != 'classification' else {}
    backbone = small_config_of(name, **changes)
    if task == 'classification':
        config = dict(type='PointClsHead', num_classes=5, hidden_dims=(16,)) | HEADS.get(name, {}) | head
        model: Any = PointClassifier(backbone, config, peft=peft)
    elif task == 'part_seg':
        model = PartSegmentor(backbone, head_of(name), peft=peft)
    else:
        model = SceneEncoder(backbone, dict(type='SeedNeck', out_channels=16), peft=peft)
    model.backbone.backbone.load_state_dict(build_plain(name, **changes).state_dict())
    model.backbone.init_weights()  # takes the pre-trained values over

    def run(points: Tensor) -> Tensor:
        if task == 'scene':
            return model(points)['fp_features'][0]
        return model(dict(points=points, category=torch.arange(len(points)) % len(PARTS)))

    return model, run


def check(name: str, task: str, methods: Methods, **head: Any) -> PEFTBackbone:
    """Training moves what is trained and, to the byte, nothing else; a cloud's outputs do not depend on its batch.

    Returns:
        PEFTBackbone: The tuned backbone, after training.
    """
    model, run = tuned(name, task, methods, **head)
    wrapper = model.backbone
    before = {key: value.clone() for key, value in model.state_dict().items()}
    trained = {key for key, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3, weight_decay=0)
    points, losses = clouds(8, seed=5), []
    model.train()
    for _ in range(3):
        out = run(points)
        target = torch.randn(out.shape, generator=torch.Generator().manual_seed(7))
        loss = (out - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(loss < 1e3 for loss in losses)
    of_task = {
        f'backbone.backbone.{key}' for key in wrapper.backbone.prefix_parameters()
    }  # not all read them
    own = [key for key in trained - of_task if key.startswith('backbone.')]
    dead = [key for key in own if not model.get_parameter(key).grad.abs().sum() > 0]
    assert own and not dead, f'no gradient reaches {dead}'
    for key, value in wrapper.backbone.state_dict().items():
        if f'backbone.backbone.{key}' not in trained:
            assert torch.equal(value, before[f'backbone.backbone.{key}']), key
    model.eval()
    with torch.no_grad():
        together = run(points[:4])
        torch.testing.assert_close(
            torch.cat([run(cloud[None]) for cloud in points[:1]]), together[:1], atol=1e-5, rtol=0
        )
        torch.testing.assert_close(
            run(torch.cat([points[:1], 3 * points[4:6]]))[:1], together[:1], atol=1e-5, rtol=0
        )
        assert torch.equal(run(points[:4]), together)
    plain = build_plain(name, **(CHANGES.get(name, {}) if task != 'classification' else {}))
    detached = wrapper.detach()
    assert torch.equal(detached(clouds(2)).patches, plain(clouds(2)).patches)
    wrapper.attach()
    with torch.no_grad():
        assert torch.equal(run(points[:4]), together)
    return wrapper
