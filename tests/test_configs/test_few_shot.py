"""The few-shot leaves: the published settings, no validation, and one fold as it comes out of the config."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from point_peft.engine.config import load_config
from point_peft.registry import DATASETS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
METHODS = ('full', 'linear_probe', 'point_peft')
BACKBONES = ('pointmae', 'pointmae_mini', 'pointbert', 'pointm2ae', 'recon', 'act', 'pointgpt_s')
LEAVES = [f'{backbone}_fewshot_modelnet40' for backbone in BACKBONES]
LEAVES += [f'{backbone}_fewshot_{name}' for backbone in BACKBONES[:2] for name in ('modelnet10', 'shapes')]
FULL_SIZE = [leaf for leaf in LEAVES if 'mini' not in leaf]

MINI_RATES = dict(full=1e-3, linear_probe=2e-2, point_peft=4e-3)
"""Learning rates of the mini backbone, each chosen on folds that are not reported."""

every_leaf = pytest.mark.parametrize('leaf', LEAVES)
every_method = pytest.mark.parametrize('method', METHODS)


def read(method: str, leaf: str) -> Config:
    """A leaf."""
    return load_config(CONFIGS / method / f'{leaf}.py')


@every_method
@every_leaf
def test_protocol(method: str, leaf: str) -> None:
    """5 ways and 10 shots, as many outputs as ways, one fold for both loaders, nothing to select an epoch on."""
    cfg = read(method, leaf)
    for loader, split in ((cfg.train_dataloader, 'train'), (cfg.test_dataloader, 'test')):
        dataset = loader.dataset
        assert (dataset.num_ways, dataset.num_shots, dataset.fold, dataset.split) == (5, 10, 0, split)
        assert dataset.type == ('FewShotModelNet40' if 'modelnet40' in leaf else 'FewShot')
    assert cfg.num_classes == cfg.model.head.num_classes == 5
    assert cfg.val_dataloader is None and cfg.val_cfg is None and cfg.val_evaluator is None
    assert cfg.default_hooks.checkpoint.save_best is None
    assert cfg.train_dataloader.batch_size == 32 and cfg.train_dataloader.drop_last


@every_method
@pytest.mark.parametrize('leaf', FULL_SIZE)
def test_published_schedule(method: str, leaf: str) -> None:
    """Learning rate 5e-4, 150 epochs with 10 of warm-up; PointGPT-S is fully fine-tuned for 300 with 30."""
    cfg = read(method, leaf)
    epochs, warmup = (300, 30) if (method, leaf) == ('full', 'pointgpt_s_fewshot_modelnet40') else (150, 10)
    first, second = cfg.param_scheduler
    assert cfg.train_cfg.max_epochs == second.end == epochs and first.end == second.begin == warmup
    assert cfg.optim_wrapper.optimizer.lr == 5e-4 and cfg.optim_wrapper.clip_grad.max_norm == 10
    assert first.start_factor * 5e-4 == pytest.approx(1e-6) and second.eta_min == 1e-6
    assert 'paramwise_cfg' not in cfg.optim_wrapper
    assert cfg.default_hooks.protocol.test_interval == 1  # the best of all epochs, as papers report


@every_method
@pytest.mark.parametrize('leaf', FULL_SIZE)
def test_network(method: str, leaf: str) -> None:
    """1024 points as for ModelNet40; ReCon has a smaller drop path here, which is published so."""
    cfg = read(method, leaf)
    plain = read(method, f'{leaf.partition("_fewshot_")[0]}_modelnet40')
    assert cfg.data_preprocessor.num_points == 1024
    backbone, expected = dict(cfg.model.backbone), dict(plain.model.backbone)
    if leaf.startswith('recon'):
        assert (backbone.pop('drop_path_rate'), expected.pop('drop_path_rate')) == (0.1, 0.2)
    assert backbone == expected
    assert cfg.model.get('peft') == plain.model.get('peft')
    assert {**cfg.model.head, 'num_classes': 40} == plain.model.head
    assert cfg.model.get('auxiliary_head') == plain.model.get('auxiliary_head')


@every_leaf
def test_one_change_between_methods(leaf: str) -> None:
    """Methods differ in the model only, but for PointGPT-S's own schedule and the mini backbone's learning rates."""
    configs = {method: read(method, leaf) for method in METHODS}
    reference = configs['point_peft']
    for method, cfg in configs.items():
        for section in ('train_dataloader', 'test_dataloader', 'data_preprocessor', 'default_hooks'):
            assert cfg[section] == reference[section]
        if method == 'full' and leaf.startswith('pointgpt'):
            continue
        assert cfg.param_scheduler == reference.param_scheduler and cfg.train_cfg == reference.train_cfg
        wrapper, expected = cfg.optim_wrapper.to_dict(), reference.optim_wrapper.to_dict()
        if 'mini' in leaf:
            assert wrapper['optimizer'].pop('lr') == MINI_RATES[method]
            expected['optimizer'].pop('lr')
        assert wrapper == expected


@pytest.mark.parametrize('leaf', [leaf for leaf in LEAVES if 'modelnet' in leaf])
def test_data_root_reaches_both_loaders(leaf: str) -> None:
    """Also where the fold is drawn from another dataset."""
    cfg = load_config(CONFIGS / 'full' / f'{leaf}.py', dict(data_root='/elsewhere'))
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        dataset = loader.dataset.get('dataset', loader.dataset)
        assert dataset.data_root == '/elsewhere'


def test_fold_of_the_built_in_shapes() -> None:
    """50 objects for training and 100 queries, of the same five classes."""
    cfg = read('point_peft', 'pointmae_mini_fewshot_shapes')
    support, queries = (
        DATASETS.build(loader.dataset) for loader in (cfg.train_dataloader, cfg.test_dataloader)
    )
    assert set(support.class_counts().values()) == {10} and set(queries.class_counts().values()) == {20}
    assert support.classes == queries.classes and len(support.classes) == cfg.num_classes
