"""The configs of the datasets, each against a small dataset in its published layout."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from point_peft.models import PointDataPreprocessor
from point_peft.registry import DATASETS, MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'datasets'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


OWN = [
    path
    for path in sorted(CONFIGS.glob('*.py'))
    if not path.stem.endswith(('_seg', '_det', '_scene', '_loaders'))
]
"""Datasets of this project; those for mmdet3d are tested in tests/test_scene_seg and tests/test_detection."""


@pytest.mark.parametrize('path', OWN, ids=lambda path: path.stem)
def test_shape_of_every_config(path: Path) -> None:
    """Named collation, a number of classes, splits as promised, the task's metric where there is a validation."""
    cfg = Config.fromfile(path)
    assert cfg.num_classes is None or cfg.num_classes > 1  # None: counted in the directory
    assert 'model' not in cfg
    for name in LOADERS:
        if cfg[name] is None:
            continue
        assert cfg[name].collate_fn.type == 'pseudo_collate'
        assert cfg[name].num_workers > 0 or not cfg[name].get('persistent_workers', False)
        assert DATASETS.get(cfg[name].dataset.type) is not None
    assert cfg.train_dataloader.drop_last and cfg.train_dataloader.sampler.shuffle
    if cfg.val_dataloader is not None:
        assert [cfg[name].dataset.split for name in LOADERS] == ['train', 'val', 'test']
        metric = 'PartSegMetric' if 'parts_per_category' in cfg else 'ClassificationAccuracy'
        assert cfg.val_evaluator.type == cfg.test_evaluator.type == metric
    assert isinstance(MODELS.build(cfg.data_preprocessor), PointDataPreprocessor)


@pytest.mark.parametrize('name', ['shapes', 'shapes_scan'])
def test_built_in(name: str) -> None:
    """The built-in shapes run from the config to an augmented batch; classes as promised."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    for loader in LOADERS:
        cfg[loader].dataset.num_samples = 64
    with DefaultScope.overwrite_default_scope('point_peft'):
        loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    assert len(loader.dataset.classes) == cfg.num_classes
    batch = MODELS.build(cfg.data_preprocessor)(next(iter(loader)), training=True)
    assert batch['inputs']['points'].shape == (32, 1024, 3)


@pytest.mark.parametrize(('name', 'num_points'), [('shapes_part', 1024), ('shapenetpart', 2048)])
def test_parts(name: str, num_points: int) -> None:
    """The parts of every category as the dataset has them, points with labels, one factor for all axes."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    kind = DATASETS.get(cfg.dataset_type)
    assert len(kind.classes) == cfg.num_classes
    assert tuple(len(kind.class_parts[category]) for category in kind.classes) == cfg.parts_per_category
    assert sum(cfg.parts_per_category) == len(kind.parts)
    assert [cfg[loader].dataset.num_points for loader in LOADERS] == [num_points] * 3
    preprocessor = MODELS.build(cfg.data_preprocessor)  # neither draws nor reorders points
    assert preprocessor.num_points is None and len(preprocessor.augments) == 1
    augment = preprocessor.augments[0]
    assert repr(augment) == 'RandomScaleTranslate(scale=(0.8, 1.25), translate=0.1)'
    assert augment.num_factors == 1


@pytest.mark.parametrize(('name', 'count'), [('hardest', 60), ('objbg', 45), ('objonly', 30)])
def test_scanobjectnn(scanobjectnn_root: Path, name: str, count: int) -> None:
    """The three variants read three different files in all splits."""
    cfg = Config.fromfile(CONFIGS / f'scanobjnn_{name}.py')
    sets = [DATASETS.build({**cfg[loader].dataset, 'data_root': scanobjectnn_root}) for loader in LOADERS]
    assert len(sets[0]) + len(sets[1]) == count and len(sets[2]) == 15
    assert len(sets[0].classes) == cfg.num_classes


def test_modelnet10(modelnet_h5_root: Path) -> None:
    """ModelNet10 with its own root."""
    cfg = Config.fromfile(CONFIGS / 'modelnet10.py')
    dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'data_root': modelnet_h5_root})
    assert len(dataset) == 10 and len(dataset.classes) == cfg.num_classes


def test_published_augmentation() -> None:
    """ScanObjectNN is scaled by 0.9 to 1.1 and turned about y; ModelNet40 takes 1024 of 1200 points."""
    augments = MODELS.build(Config.fromfile(CONFIGS / 'scanobjnn_hardest.py').data_preprocessor).augments
    shown = [repr(augment) for augment in augments]
    assert shown == [
        'ShufflePoints()',
        'RandomScale(scale=(0.9, 1.1))',
        "RandomRotate(axis='y', angle=3.142)",
    ]
    modelnet = MODELS.build(Config.fromfile(CONFIGS / 'modelnet40.py').data_preprocessor)
    assert (modelnet.num_points, modelnet.num_candidates) == (1024, 1200)
    assert repr(modelnet.augments[1]) == f'RandomScaleTranslate(scale=({2 / 3}, 1.5), translate=0.2)'
