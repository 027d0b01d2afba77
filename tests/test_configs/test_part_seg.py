"""The configs of part segmentation: which there are, published settings and sizes, and what is trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from small_models import fill_bank

from point_peft.apis import init_model
from point_peft.engine.config import Combination, load_config, reason_against
from point_peft.engine.runtime.optimizers import PointOptimWrapperConstructor
from point_peft.registry import MODELS
from point_peft.structures import PointDataSample

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
METHODS = ('point_peft', 'full', 'linear_probe', 'lora', 'vpt_deep')
DATASETS = ('shapenetpart', 'shapes_part')
MINI = 'pointmae_mini'


@dataclass(frozen=True)
class Recipe:
    """Full fine-tuning as published; the defaults are Point-MAE's."""

    parameters: int
    head: str = 'PlainPartSegHead'
    hidden_layers: tuple[int, ...] = (3, 7, 11)
    num_groups: Any = 128
    group_size: Any = 32
    lr: float = 2e-4
    warmup: int = 10
    batch_size: int = 16


SHAPENETPART = {
    'pointmae': Recipe(27_063_730),
    'act': Recipe(27_063_730 + 2 * 384),  # the same with a class token and its position
    'recon': Recipe(48_542_386, lr=1e-4),
    'pointbert': Recipe(27_085_874, head='GraphPartSegHead'),
    'pointm2ae': Recipe(
        25_474_354,
        head='HierarchicalPartSegHead',
        hidden_layers=(4, 9, 14),
        num_groups=(512, 256, 64),
        group_size=(16, 8, 8),
    ),
    'pointgpt_s': Recipe(34_202_738, warmup=30, batch_size=32),
}
BACKBONES = (*SHAPENETPART, MINI)

every_backbone = pytest.mark.parametrize('name', SHAPENETPART)
every_dataset = pytest.mark.parametrize('dataset', DATASETS)
every_method = pytest.mark.parametrize('method', METHODS)


@cache
def config_of(method: str, name: str, dataset: str) -> Config:
    """The config of a leaf; not to be changed."""
    return load_config(CONFIGS / method / f'{name}_{dataset}.py')


def test_promised_leaves() -> None:
    """Every backbone with every method on both datasets."""
    promised = [Combination(m, b, d) for m in METHODS for b in BACKBONES for d in DATASETS]
    assert not [leaf for leaf in promised if reason_against(leaf)]


@every_method
@every_dataset
@pytest.mark.parametrize('name', BACKBONES)
def test_leaf(method: str, dataset: str, name: str) -> None:
    """The head has the dataset's parts, the best epoch is that of instance mIoU, the batch fits the learning rate."""
    cfg = config_of(method, name, dataset)
    assert cfg.model.type == 'PartSegmentor' and ('peft' in cfg.model) == (method != 'full')
    assert cfg.model.head.parts_per_category == cfg.parts_per_category
    assert cfg.default_hooks.checkpoint.save_best == cfg.default_hooks.protocol.metrics[0] == 'instance_miou'
    assert cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size
    assert (cfg.model.head.type == 'LinearPartSegHead') == (method == 'linear_probe')
    assert (cfg.model.get('auxiliary_head') is not None) == (method == 'full' and name == 'pointgpt_s')


@every_backbone
@every_dataset
def test_network(name: str, dataset: str) -> None:
    """Groups, decoder and the blocks that it decodes, which all methods have but for the head of linear probing."""
    recipe = SHAPENETPART[name]
    for method in METHODS:
        model = config_of(method, name, dataset).model
        assert (model.backbone.num_groups, model.backbone.group_size) == (
            recipe.num_groups,
            recipe.group_size,
        )
        assert model.backbone.init_cfg.checkpoint == f'checkpoints/{name}_pretrain.pth'
        assert model.backbone.get('drop_path_rate') == (0.2 if name == 'recon' else 0.1)
        with torch.device('meta'):
            assert MODELS.build(model).head.hidden_layers == recipe.hidden_layers
        if method != 'linear_probe':
            assert model.head.type == recipe.head and 'dropout' not in model.head  # 0.5 by default
            assert model.head.get('prefix', False) == (name == 'recon')


@every_backbone
@every_dataset
@every_method
def test_schedule(name: str, dataset: str, method: str) -> None:
    """AdamW with decay 0.05, 300 epochs; the tuning methods share Point-MAE's settings."""
    cfg = config_of(method, name, dataset)
    recipe = SHAPENETPART[name if method == 'full' else 'pointmae']
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ('AdamW', recipe.lr, 0.05)
    assert cfg.optim_wrapper.clip_grad.max_norm == 10 and cfg.train_cfg.max_epochs == 300
    assert cfg.train_dataloader.batch_size == recipe.batch_size
    first, second = cfg.param_scheduler
    assert (first.type, first.begin, first.end) == ('LinearLR', 0, recipe.warmup)
    assert (second.type, second.begin, second.end) == ('CosineAnnealingLR', recipe.warmup, 300)
    assert first.start_factor * optimizer.lr == pytest.approx(1e-6) and second.eta_min == 1e-6
    assert ('paramwise_cfg' in cfg.optim_wrapper) == (method == 'full' and name == 'recon')


@every_dataset
@pytest.mark.parametrize('name', BACKBONES)
def test_one_change_between_methods(name: str, dataset: str) -> None:
    """Methods differ in model and peft only, so that they can be compared."""
    reference = config_of('point_peft', name, dataset)
    for method in METHODS[2:]:
        cfg = config_of(method, name, dataset)
        for section in (
            'optim_wrapper',
            'param_scheduler',
            'train_cfg',
            'train_dataloader',
            'data_preprocessor',
        ):
            assert cfg[section] == reference[section]
        assert cfg.model.backbone == reference.model.backbone


def test_learning_rates_of_recon() -> None:
    """The decoder learns ten times as fast as the backbone."""
    cfg = load_config(CONFIGS / 'full' / 'recon_shapenetpart.py')
    with torch.device('meta'):
        model = init_model(cfg, device='meta')
    options = {key: value for key, value in cfg.optim_wrapper.items() if key not in ('constructor', 'type')}
    groups = PointOptimWrapperConstructor(options, options.pop('paramwise_cfg')).parameter_groups(model)
    rates = {id(p): group.get('lr', 1e-4) for group in groups for p in group['params']}
    for name, parameter in model.named_parameters():
        assert rates[id(parameter)] == pytest.approx(1e-3 if name.startswith('head.') else 1e-4)


@every_backbone
def test_number_of_parameters(name: str) -> None:
    """Exactly those of the published networks."""
    with torch.device('meta'):
        model = init_model(CONFIGS / 'full' / f'{name}_shapenetpart.py', device='meta')
    assert sum(p.numel() for p in model.parameters()) == SHAPENETPART[name].parameters


def shrink(cfg: Config, name: str) -> None:
    """Make a model small: narrow tokens, few groups, every block."""
    backbone, head = cfg.model.backbone, cfg.model.head
    backbone.init_cfg = None
    if name == 'pointm2ae':
        backbone.update(embed_dims=(12, 24, 48), num_groups=(32, 16, 8), group_size=(8, 4, 4))
        for hook in cfg.model.peft.methods if 'peft' in cfg.model else ():
            if hook.type == 'GeometryAwareAdapter':
                hook.num_neighbors = 4
    else:
        backbone.update(embed_dim=48, num_groups=24, group_size=8)
    backbone.patch_dims = (8, 12, 16)
    if head.type == 'GraphPartSegHead':
        head.level_sizes = (48, 32)
    if cfg.model.get('auxiliary_head'):
        cfg.model.auxiliary_head.group_size = 8


@pytest.mark.filterwarnings('ignore')
@every_method
@pytest.mark.parametrize('name', BACKBONES)
def test_everything_trained_gets_a_gradient(
    name: str, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No parameter is trained in vain: it would stop a run of several processes, and be counted for nothing."""
    monkeypatch.chdir(tmp_path)
    cfg = load_config(CONFIGS / method / f'{name}_shapes_part.py')
    shrink(cfg, name)
    model = init_model(cfg).train()
    fill_bank(model)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:  # what starts at zero would block the gradient of others
                parameter.add_(0.05 * torch.randn_like(parameter))
    samples = []
    for _ in range(4):
        samples.append(PointDataSample())
        samples[-1].gt_part = torch.randint(0, sum(cfg.parts_per_category), (64,))
    inputs = dict(points=0.4 * torch.randn(4, 64, 3), category=torch.tensor([0, 5, 9, 15]))
    sum(model(inputs, samples, mode='loss').values()).backward()
    trained = {key: p for key, p in model.named_parameters() if p.requires_grad}
    assert not [key for key, p in trained.items() if p.grad is None]
    assert not [key for key, p in trained.items() if not p.grad.any()]
    assert not [key for key, p in model.named_parameters() if key not in trained and p.grad is not None]
