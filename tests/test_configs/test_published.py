"""The settings that were published for each backbone, and the parameters that result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from point_peft.apis import init_model
from point_peft.engine.config import load_config
from point_peft.engine.runtime.optimizers import PointOptimWrapperConstructor

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
LIKE_MODELNET = ('modelnet40', 'modelnet10', 'shapes')
PEFT_METHODS = ('point_peft', 'linear_probe', 'lora', 'vpt_deep')


@dataclass(frozen=True)
class Recipe:
    """Full fine-tuning as published; the defaults are Point-MAE's on ScanObjectNN."""

    parameters: int
    num_points: int = 2048
    num_groups: Any = 128
    group_size: Any = 32
    drop_path_rate: float | None = 0.1
    lr: float = 5e-4
    epochs: int = 300
    warmup: int = 10
    batch_size: int = 32
    pool: Sequence[str] | None = None  # None: what the head does by default
    hidden_dims: Sequence[int] | None = None
    label_smoothing: float | None = None


M2AE = dict(num_groups=(512, 256, 64), pool=('mean', 'max_but_first'))
GPT = dict(drop_path_rate=None, lr=1e-4, batch_size=64, pool=('cls', 'max'))
BERT = dict(num_points=1024, num_groups=64, hidden_dims=(256,), label_smoothing=0.2)
SMALLER = dict(num_points=1024, num_groups=64)

SCANOBJECTNN = {
    'pointmae': Recipe(22_093_327),
    'act': Recipe(22_093_327),
    'pointbert': Recipe(22_065_960 - (40 - 15) * 257, **BERT),  # published with a head of 40 classes
    'pointm2ae': Recipe(12_921_935, group_size=(32, 16, 16), **M2AE),
    'recon': Recipe(43_571_215, drop_path_rate=0.2, lr=2e-5, pool=('prefix', 'max')),
    'pointgpt_s': Recipe(29_232_335, warmup=30, **GPT),
    'pointgpt_b': Recipe(120_461_263, epochs=30, **GPT),
    'pointgpt_l': Recipe(360_457_679, epochs=50, **GPT),
}
"""By the name of the backbone; the numbers of parameters include PointGPT's generator."""

FORTY_CLASSES = (40 - 15) * 257
GPT = GPT | SMALLER | dict(batch_size=128)
MODELNET40 = {
    'pointmae': Recipe(22_093_327 + FORTY_CLASSES, **SMALLER),
    'act': Recipe(22_093_327 + FORTY_CLASSES, **SMALLER),
    'pointbert': Recipe(22_065_960, **BERT),
    'pointm2ae': Recipe(
        12_830_056,
        group_size=(16, 8, 8),
        label_smoothing=0.3,
        **(M2AE | dict(num_points=1024, pool=('sum',))),
    ),
    'recon': Recipe(
        43_571_215 + FORTY_CLASSES, drop_path_rate=0.2, lr=1e-5, pool=('prefix', 'max'), **SMALLER
    ),
    'pointgpt_s': Recipe(29_232_335 + FORTY_CLASSES, **GPT),
    'pointgpt_b': Recipe(120_461_263 + FORTY_CLASSES, epochs=50, **GPT),
    'pointgpt_l': Recipe(360_457_679 + FORTY_CLASSES, epochs=50, **GPT),
}

LEAVES = [('scanobjnn', name, recipe) for name, recipe in SCANOBJECTNN.items()]
LEAVES += [(dataset, name, recipe) for dataset in LIKE_MODELNET for name, recipe in MODELNET40.items()]
every_leaf = pytest.mark.parametrize(
    ('dataset', 'name', 'recipe'), LEAVES, ids=[f'{name}_{dataset}' for dataset, name, _ in LEAVES]
)
every_backbone = pytest.mark.parametrize('name', SCANOBJECTNN)


@cache
def config_of(method: str, name: str, dataset: str) -> Config:
    """The config of a leaf; not to be changed."""
    return load_config(CONFIGS / method / f'{name}_{dataset}.py')


@every_leaf
def test_network(dataset: str, name: str, recipe: Recipe) -> None:
    """Points, groups, drop path and head, in every method but for the head of linear probing."""
    for method in ('full', *PEFT_METHODS):
        if method in ('lora', 'vpt_deep') and dataset != 'scanobjnn':
            continue
        cfg = config_of(method, name, dataset)
        backbone, head = cfg.model.backbone, cfg.model.head
        assert cfg.data_preprocessor.num_points == recipe.num_points
        assert (backbone.num_groups, backbone.group_size) == (recipe.num_groups, recipe.group_size)
        assert backbone.get('drop_path_rate') == recipe.drop_path_rate
        assert backbone.init_cfg.checkpoint == f'checkpoints/{name}_pretrain.pth'
        assert (
            head.get('label_smoothing') == recipe.label_smoothing and 'dropout' not in head
        )  # 0.5 by default
        if method != 'linear_probe':
            assert (head.get('pool'), head.get('hidden_dims')) == (recipe.pool, recipe.hidden_dims)
            assert head.get('token_norm', False) == name.startswith('pointgpt')
            assert head.get('batch_norm', True) == (name != 'pointbert')


@every_leaf
def test_schedule(dataset: str, name: str, recipe: Recipe) -> None:
    """AdamW with decay 0.05, gradients clipped at 10, from 1e-6 to the learning rate and back to 1e-6."""
    cfg = config_of('full', name, dataset)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ('AdamW', recipe.lr, 0.05)
    assert cfg.optim_wrapper.clip_grad.max_norm == 10 and cfg.train_cfg.max_epochs == recipe.epochs
    assert cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == recipe.batch_size
    first, second = cfg.param_scheduler
    assert (first.type, first.begin, first.end) == ('LinearLR', 0, recipe.warmup)
    assert (second.type, second.begin, second.end) == ('CosineAnnealingLR', recipe.warmup, recipe.epochs)
    assert first.start_factor * optimizer.lr == pytest.approx(1e-6) and second.eta_min == 1e-6


@every_backbone
@pytest.mark.parametrize('method', PEFT_METHODS)
def test_schedule_of_tuning_methods(method: str, name: str) -> None:
    """The one of Point-PEFT for all: 5e-4, 300 epochs of which 10 are warm-up, batch 32; one learning rate."""
    cfg = config_of(method, name, 'scanobjnn')
    assert (cfg.optim_wrapper.optimizer.lr, cfg.train_cfg.max_epochs) == (5e-4, 300)
    assert cfg.param_scheduler[0].end == 10 and cfg.train_dataloader.batch_size == 32
    assert 'paramwise_cfg' not in cfg.optim_wrapper


@pytest.mark.parametrize(('dataset', 'lr'), [('scanobjnn', 2e-5), ('modelnet40', 1e-5)])
def test_learning_rates_of_recon(dataset: str, lr: float) -> None:
    """Head and class token learn ten times as fast as the rest, as everything published under the name ``cls`` does."""
    cfg = load_config(CONFIGS / 'full' / f'recon_{dataset}.py')
    with torch.device('meta'):
        model = init_model(cfg, device='meta')
    options = {
        name: value for name, value in cfg.optim_wrapper.items() if name not in ('constructor', 'type')
    }
    groups = PointOptimWrapperConstructor(options, options.pop('paramwise_cfg')).parameter_groups(model)
    rates = {id(p): group.get('lr', lr) for group in groups for p in group['params']}
    fast = {name for name, p in model.named_parameters() if rates[id(p)] == pytest.approx(10 * lr)}
    head = {name for name, _ in model.named_parameters() if name.startswith('head.')}
    assert fast == head | {'backbone.cls_token', 'backbone.cls_pos'}
    assert set(rates.values()) == {lr, 10 * lr}


@every_leaf
@pytest.mark.parametrize('method', ['point_peft', 'linear_probe'])
def test_generator_stays_with_full_fine_tuning(method: str, dataset: str, name: str, recipe: Recipe) -> None:
    """PointGPT is fully fine-tuned with 3 times the generation loss, and tuned without; the others never have it."""
    full, tuned = (config_of(m, name, dataset).model for m in ('full', method))
    assert tuned.get('auxiliary_head') is None
    if name.startswith('pointgpt'):
        head = full.auxiliary_head
        assert (head.type, head.loss_weight, head.depth) == ('GenerationHead', 3.0, 4)
        assert (head.num_heads, head.group_size) == (full.backbone.num_heads, recipe.group_size)
    else:
        assert 'auxiliary_head' not in full


@pytest.mark.parametrize('dataset', ['scanobjnn', 'modelnet40'])
@every_backbone
def test_number_of_parameters(name: str, dataset: str) -> None:
    """Exactly those of the published networks."""
    with torch.device('meta'):
        model = init_model(CONFIGS / 'full' / f'{name}_{dataset}.py', device='meta')
    recipe = (SCANOBJECTNN if dataset == 'scanobjnn' else MODELNET40)[name]
    assert sum(p.numel() for p in model.parameters()) == recipe.parameters


def test_point_peft_on_point_m2ae() -> None:
    """As released: 16 prompts in all blocks of all stages and the weights of its scripts; the prior sees all tokens."""
    methods = {
        hook.type: hook
        for hook in load_config(CONFIGS / 'point_peft' / 'pointm2ae_scanobjnn.py').model.peft.methods
    }
    prompt, geometry = methods['PointPriorPrompt'], methods['GeometryAwareAdapter']
    assert (prompt.num_tokens, prompt.layers, prompt.num_prior_groups) == (16, 'all', None)
    assert (geometry.propagation_scale, geometry.center_scale) == (0.2, 0.3)


REDUCED: dict[str, dict[str, Any]] = {
    'pointm2ae': dict(depths=(1, 1, 2), num_groups=(64, 32, 16)),
    'pointgpt_b': dict(embed_dim=192, patch_dims=(16, 32, 64, 128)),
    'pointgpt_l': dict(embed_dim=256, patch_dims=(16, 32, 64, 128)),
}
"""What else than depth and groups makes a backbone small."""


@pytest.mark.parametrize('method', ['full', 'linear_probe', 'point_peft'])
@every_backbone
def test_reduced_sizes_run(name: str, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few overrides of the backbone make any leaf small: head and peft follow it."""
    monkeypatch.chdir(tmp_path)
    cfg = load_config(CONFIGS / method / f'{name}_shapes.py')
    cfg.model.backbone.update(REDUCED.get(name, {}))
    if name != 'pointm2ae':
        cfg.model.backbone.update(depth=2, num_groups=32)
    points = torch.randn(2, 256, 3, generator=torch.Generator().manual_seed(0))
    model = init_model(cfg, allow_random=True)
    with torch.no_grad():
        out = model(dict(points=points), mode='tensor')
    assert out.shape == (2, 16) and out.isfinite().all()
