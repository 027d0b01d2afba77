"""Training, validation, test and resuming on real rooms, through mmdet3d's classes; each detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet3d')

from mmdet3d.datasets import ScanNetDataset, SUNRGBDDataset
from mmdet3d.evaluation import IndoorMetric
from mmdet3d.models import GroupFree3DHead, GroupFree3DNet, VoteHead, VoteNet
from mmengine.config import Config
from mmengine.dataset import RepeatDataset
from mmengine.runner import Runner
from small_detectors import DETECTORS, REAL, small_config

from point_peft.io.errors import ConfigError
from point_peft.io.weights import load_checkpoint_file
from point_peft.models import SceneEncoder

pytestmark = [
    pytest.mark.usefixtures('scope'),
    pytest.mark.filterwarnings('ignore'),  # of packages of the tier, for those that they use
]
real_data = pytest.mark.skipif(not (REAL / 'scannet').is_dir(), reason='the real rooms are not here')
runs = pytest.mark.parametrize('detector', DETECTORS)
CLASSES = {'votenet': (VoteNet, VoteHead), 'groupfree3d': (GroupFree3DNet, GroupFree3DHead)}
DATASETS = {'scannet': ScanNetDataset, 'sunrgbd': SUNRGBDDataset}


def run(cfg: Config, work_dir: Path) -> Runner:
    cfg.work_dir = str(work_dir)
    return Runner.from_cfg(cfg)


def weights(runner: Runner) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in runner.model.state_dict().items()}


@real_data
@runs
@pytest.mark.parametrize('data', DATASETS)
@pytest.mark.parametrize('method', ['full', 'point_peft'])
def test_real_rooms(method: str, data: str, detector: str, tmp_path: Path) -> None:
    """An epoch, validation, resuming for another, and a test that gives the numbers of the last validation."""
    few = {'train_dataloader.dataset.times': 4 if data == 'scannet' else 2}

    def config(epochs: int, **changes: Any) -> Config:
        return small_config(
            method, detector, data, REAL / data, **{'train_cfg.max_epochs': epochs}, **few, **changes
        )

    runner = run(config(1), tmp_path)
    if detector in CLASSES:
        net, head = CLASSES[detector]
        assert type(runner.model) is net and isinstance(runner.model.bbox_head, head)
    assert isinstance(runner.model.backbone, SceneEncoder)
    runner.train()
    assert type(runner.val_loop.evaluator.metrics[0]) is IndoorMetric
    dataset = runner.train_dataloader.dataset
    assert isinstance(dataset, RepeatDataset) and type(dataset.dataset) is DATASETS[data]
    after_one = weights(runner)

    cfg = config(2)
    cfg.resume, cfg.load_from = True, str(tmp_path / 'epoch_1.pth')
    resumed = run(cfg, tmp_path)
    resumed.train()
    assert resumed.epoch == 2 and any(
        not torch.equal(value, after_one[name]) for name, value in weights(resumed).items()
    )
    np.random.seed(0)  # of PointSample, which draws the points in validation, too
    validated = resumed.val_loop.run()

    cfg = config(2)
    cfg.load_from = str(tmp_path / 'epoch_2.pth')
    runner = run(cfg, tmp_path / 'test')
    np.random.seed(0)
    tested = runner.test()
    assert {'mAP_0.25', 'mAP_0.50', 'mAR_0.25', 'mAR_0.50'} <= set(tested)
    np.testing.assert_equal(tested, validated)  # NaN where a class does not occur
    assert any(not np.isnan(value) for name, value in tested.items() if '_AP_' in name)


@real_data
def test_adapter_holds_what_was_trained(tmp_path: Path) -> None:
    """The frozen encoder stays as it was, byte for byte, and out of the file; the bank has a file of its own."""
    cfg = small_config('point_peft', 'votenet', 'scannet', REAL / 'scannet', **{'train_cfg.max_epochs': 1})
    runner = run(cfg, tmp_path)
    runner.model.init_weights()
    before = weights(runner)
    runner.train()
    trained = {name for name, p in runner.model.named_parameters() if p.requires_grad}
    base = runner.model.backbone.base_state()
    for name, value in weights(runner).items():
        if name.startswith('backbone.backbone.backbone.') and name not in trained:
            assert torch.equal(value, before[name]), name
    saved = load_checkpoint_file(tmp_path / 'epoch_1.pth')
    kept = set(saved['state_dict'])
    assert saved['meta']['point_peft']['format'] == 'delta' and trained <= kept
    assert not any(name.endswith('bank.keys') for name in kept)
    assert not kept & (
        {f'backbone.{name}' for name in base} - trained - {n for n in kept if 'pretrained_' in n}
    )
    assert (tmp_path / 'memory_bank.safetensors').is_file()


@runs
@pytest.mark.parametrize('method', ['full', 'linear_probe', 'point_peft', 'lora'])
def test_built_in_rooms(method: str, detector: str, tmp_path: Path) -> None:
    """Every method and detector trains, validates and tests on what needs no download."""
    rooms = {f'{loader}_dataloader.dataset.num_scenes': 8 for loader in ('train', 'val', 'test')}
    cfg = small_config(
        method, detector, 'shapes_scene', tmp_path / 'data', **{'train_cfg.max_epochs': 1}, **rooms
    )
    runner = run(cfg, tmp_path / 'run')
    runner.train()
    assert 0 <= runner.test()['mAP_0.25'] <= 1
    if method == 'linear_probe':
        assert not any(p.requires_grad for p in runner.model.backbone.backbone.parameters())


def test_wrong_number_of_classes(tmp_path: Path) -> None:
    """A head for other data is refused before the first step."""
    rooms = {f'{loader}_dataloader.dataset.num_scenes': 8 for loader in ('train', 'val', 'test')}
    cfg = small_config(
        'full', 'votenet', 'shapes_scene', tmp_path / 'data', **{'model.bbox_head.num_classes': 6}, **rooms
    )
    with pytest.raises(
        ConfigError, match=r'ShapesScene has 7 classes, but model\.bbox_head\.num_classes is 6'
    ):
        run(cfg, tmp_path / 'run').train()
