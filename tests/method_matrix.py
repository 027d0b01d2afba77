"""A tuning method on every small backbone, in every task: what all of them promise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import torch
from mmengine.registry import init_default_scope
from small_models import HEADS, SMALL_BACKBONES, build_plain, clouds, fill_bank, small_config_of
from small_part_models import CHANGES, PARTS, head_of
from torch import Tensor, nn

from point_peft.apis import get_config
from point_peft.engine.config import Combination, load_config, reason_against
from point_peft.methods import PEFTBackbone
from point_peft.methods.evaluation_cache import EvaluationCache
from point_peft.models import PartSegmentor, PointClassifier, SceneEncoder
from point_peft.registry import MODELS

TASKS = ('classification', 'part_seg', 'scene')
CELLS = [(name, task) for name in SMALL_BACKBONES for task in TASKS]

BACKBONE_PARTS = dict(
    PointMAE='pointmae',
    ACT='act',
    PointBERT='pointbert',
    ReCon='recon',
    PointGPT='pointgpt_s',
    PointM2AE='pointm2ae',
)
TASK_PARTS = dict(classification='scanobjnn', part_seg='shapenetpart', scene='votenet_shapes_scene')
"""Parts of configs that stand for the cells."""

AT_MOST = dict(dim=16, num_blocks=4, num_fused=2, num_neighbors=4, num_prior_groups=8, num_tokens=6)
"""Arguments of methods that the small backbones need smaller than published, as they have few tokens and blocks."""

Run = Callable[[Tensor], Tensor]
Methods = Sequence[dict[str, Any]]


def as_configured(method: str, name: str, task: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The methods, and the changes to a classification head, that the config of a cell has, at the small size."""
    model = load_config(f'{method}/{BACKBONE_PARTS[name]}_{TASK_PARTS[task]}').model
    peft = model.get('peft') or model.backbone.peft
    pool = model.head.get('pool') if task == 'classification' else None
    return list(map(_smaller, peft.methods)), {} if pool is None else dict(pool=pool)


def _smaller(method: dict[str, Any]) -> dict[str, Any]:
    """The config of a method with arguments as the small backbones need them."""
    parameters = signature(MODELS.get(method['type'])).parameters
    values = {
        key: method.get(key, parameters[key].default) for key in AT_MOST if key in {*parameters, *method}
    }
    return {
        **method,
        **{key: min(value, AT_MOST[key]) for key, value in values.items() if isinstance(value, int)},
    }


def refusal(method: str, name: str, task: str) -> str | None:
    """Why a cell cannot work, as the configs say it; None if it can."""
    return reason_against(Combination(method, BACKBONE_PARTS[name], TASK_PARTS[task]))


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
    fill_bank(model)
    model.backbone.backbone.load_state_dict(build_plain(name, **changes).state_dict())
    model.backbone.init_weights()  # takes the pre-trained values over

    def run(points: Tensor) -> Tensor:
        if task == 'scene':
            return model(points)['fp_features'][0]
        return model(dict(points=points, category=torch.arange(len(points)) % len(PARTS)))

    return model, run


def behind_prefix(name: str, **changes: Any) -> set[str]:
    """Parameters of a small backbone that prefix tokens alone depend on."""
    plain = build_plain(name, **changes)
    plain(clouds(2)).patches.sum().backward()
    unused = {key for key, p in plain.named_parameters() if p.grad is None or not p.grad.any()}
    return unused.union(plain.prefix_parameters())


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
    changes = CHANGES.get(name, {}) if task != 'classification' else {}
    of_task = {
        f'backbone.backbone.{key}' for key in behind_prefix(name, **changes)
    }  # not all tasks read them
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
    plain = build_plain(name, **changes)
    detached = wrapper.detach()
    assert torch.equal(detached(clouds(2)).patches, plain(clouds(2)).patches)
    wrapper.attach()
    with torch.no_grad():
        assert torch.equal(run(points[:4]), together)
        check_evaluation_cache(model, run, points[:4])
    return wrapper


def check_evaluation_cache(model: nn.Module, run: Run, points: Tensor) -> None:
    """What is kept between evaluations changes no bit, also when what is trained has moved meanwhile."""
    trained = [p for p in model.parameters() if p.requires_grad]
    values = [p.clone() for p in trained]
    outputs = []
    for factor in (1.0, 1.5):
        for parameter, value in zip(trained, values):
            parameter.copy_(value * factor)
        outputs.append(run(points))
    assert not torch.equal(*outputs)
    model.backbone.evaluation_cache = EvaluationCache(50)
    for factor, expected in zip((1.0, 1.0, 1.5, 1.0), (outputs[0], outputs[0], outputs[1], outputs[0])):
        for parameter, value in zip(trained, values):
            parameter.copy_(value * factor)
        assert torch.equal(run(points), expected)
    model.backbone.evaluation_cache = None


def trained_count(config: str) -> int:
    """Trained parameters of the full-size model of a config, head included."""
    init_default_scope('point_peft')
    with torch.device('meta'):
        model = MODELS.build(get_config(config).model)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
