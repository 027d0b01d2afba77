"""Training, validation and test through mmdet3d's datasets, transforms and metric."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from rooms import SURFACES, write_rooms

from point_peft.engine.config import load_config
from point_peft.engine.config.check import check_config
from point_peft.engine.preflight import check_files
from point_peft.io.errors import MissingFileError
from point_peft.registry import DATASETS

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / 'shared' / 'data' / 'scannet'

pytestmark = [
    pytest.mark.usefixtures('detection_tier'),
    pytest.mark.filterwarnings('ignore'),  # of packages of the tier, for those that they use
]

S3DIS_CLASSES = {1: 2, 2: 1, 3: 10, 4: 9, 35: 13}
"""Labels of S3DIS for the parts of our rooms; 13 are stairs, which nobody evaluates."""


@pytest.fixture
def scannet(tmp_path: Path) -> Path:
    """Two rooms to learn from and one to validate on."""
    write_rooms(tmp_path / 'data', ['scene0000_00', 'scene0001_00'], 'scannet_infos_train.pkl')
    write_rooms(tmp_path / 'data', ['scene0002_00'], 'scannet_infos_val.pkl')
    (tmp_path / 'data' / 'seg_info').mkdir()
    np.save(tmp_path / 'data' / 'seg_info' / 'train_resampled_scene_idxs.npy', np.array([0, 1] * 8))
    return tmp_path / 'data'


@pytest.fixture
def s3dis(tmp_path: Path) -> Path:
    """One room per area."""
    (tmp_path / 'data' / 'seg_info').mkdir(parents=True)
    for area in range(1, 7):
        write_rooms(
            tmp_path / 'data', [f'Area_{area}'], f's3dis_infos_Area_{area}.pkl', classes=S3DIS_CLASSES
        )
        np.save(tmp_path / 'data' / 'seg_info' / f'Area_{area}_resampled_scene_idxs.npy', np.array([0] * 4))
    return tmp_path / 'data'


def prepare(name: str, root: Path, work_dir: Path, **changes: Any) -> Config:
    """A config as the tools have it, for blocks of 512 points, with everything in one process."""
    options: dict[str, Any] = {
        'data_root': str(root),
        'model.test_cfg.num_points': 512,
        'model.test_cfg.batch_size': 4,
        'train_dataloader.dataset.pipeline.3.num_points': 512,
        'train_dataloader.batch_size': 8,
    }
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        options |= {f'{loader}.num_workers': 0, f'{loader}.persistent_workers': False}
    cfg = load_config(ROOT / 'configs' / f'{name}.py', options | changes, str(work_dir))
    cfg.model.backbone.init_cfg.checkpoint = str(ROOT / cfg.model.backbone.init_cfg.checkpoint)
    init_default_scope('point_peft')
    check_config(cfg)
    check_files(cfg)
    return cfg


@pytest.mark.parametrize('method', ['full', 'linear_probe', 'point_peft'])
def test_scannet(method: str, scannet: Path, tmp_path: Path) -> None:
    """Every method trains, validates, saves and is tested again from its file to the same numbers."""
    options = {'train_cfg.max_epochs': 1, 'default_hooks.logger.interval': 1}
    cfg = prepare(f'{method}/pointmae_mini_scannet_seg', scannet, tmp_path / 'run', **options)
    runner = Runner.from_cfg(cfg)
    runner.train()
    trained = runner.val_loop.run()
    assert set(trained) > {'wall', 'floor', 'miou', 'acc', 'acc_cls'} and 0 <= trained['acc'] <= 1

    again = prepare(f'{method}/pointmae_mini_scannet_seg', scannet, tmp_path / 'run')
    (best,) = (tmp_path / 'run').glob('best_miou_*.pth')
    again.load_from = str(best)
    tested = Runner.from_cfg(again).test()
    assert {name: tested[name] for name in ('miou', 'acc')} == {
        name: trained[name] for name in ('miou', 'acc')
    }


def test_s3dis(s3dis: Path, tmp_path: Path) -> None:
    """Five areas to learn from, nine columns, and 13 classes."""
    cfg = prepare(
        'point_peft/pointmae_mini_s3dis_seg', s3dis, tmp_path / 'run', **{'train_cfg.max_epochs': 1}
    )
    runner = Runner.from_cfg(cfg)
    assert len(runner.train_dataloader.dataset) == 20 and runner.model.head.num_classes == 13
    runner.train()
    metrics = runner.test()
    assert (
        set(metrics) > {'ceiling', 'clutter', 'miou', 'acc'} and not metrics['ceiling'] > 0
    )  # the rooms have none


def test_labels_of_whole_rooms(scannet: Path) -> None:
    """Validation compares mapped labels: what is none of the 20 classes is ignored."""
    cfg = load_config(ROOT / 'configs' / 'full' / 'pointmae_mini_scannet_seg.py', {'data_root': str(scannet)})
    init_default_scope('point_peft')
    item = DATASETS.build(cfg.val_dataloader.dataset)[0]
    labels = item['data_samples'].eval_ann_info['pts_semantic_mask']
    assert sorted(set(labels.tolist())) == [0, 1, 2, 3, 20] and len(labels) == 400 * len(SURFACES)
    colors = item['inputs']['points'][:, 3:]
    assert colors.min() >= 0 and 0.5 < colors.max() <= 1


def test_one_room_can_be_learnt(scannet: Path, tmp_path: Path) -> None:
    """Overfitting one room: above 0.9 of its points are right."""
    options = {
        'train_cfg.max_epochs': 6,
        'train_cfg.val_interval': 6,
        'train_dataloader.dataset.scene_idxs': [0] * 64,
        'val_dataloader.dataset.ann_file': 'scannet_infos_train.pkl',
        'val_dataloader.dataset.indices': 1,
        'param_scheduler.1.end': 6,
    }
    cfg = prepare('point_peft/pointmae_mini_scannet_seg', scannet, tmp_path / 'run', **options)
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.message_hub.get_scalar('val/acc').current() > 0.9


def test_small_blocks_are_refused(scannet: Path, tmp_path: Path) -> None:
    """A pipeline that gives fewer points than the backbone makes groups stops with a sentence."""
    options = {'train_dataloader.dataset.pipeline.3.num_points': 32}
    cfg = prepare('full/pointmae_mini_scannet_seg', scannet, tmp_path / 'run', **options)
    with pytest.raises(
        ValueError, match='a block has 32 points, but the backbone cuts it into 128 groups; raise num_p'
    ):
        Runner.from_cfg(cfg).train()


@pytest.mark.skipif(not REAL.is_dir(), reason='the real ScanNet scans are not here')
def test_real_scans(tmp_path: Path) -> None:
    """Two scans to learn from and one to test on, of 50 000 points each, with the blocks of the config."""
    options = {
        'train_cfg.max_epochs': 1,
        'train_dataloader.dataset.scene_idxs': [0, 1] * 8,
        'model.test_cfg.num_points': 4096,
        'train_dataloader.dataset.pipeline.3.num_points': 4096,
    }
    cfg = prepare('point_peft/pointmae_mini_scannet_seg', REAL, tmp_path, **options)
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.message_hub.get_scalar('train/loss').current() < np.log(20) + 1
    sample = runner.test_loop.dataloader.dataset[0]
    with torch.no_grad():
        (done,) = runner.model.test_step(
            dict(inputs=dict(points=[sample['inputs']['points']]), data_samples=[sample['data_samples']])
        )
    assert done.pred_pts_seg.pts_semantic_mask.shape == (50_000,)


@pytest.mark.parametrize('gone', ['scannet_infos_val.pkl', 'seg_info/train_resampled_scene_idxs.npy'])
def test_missing_files(gone: str, scannet: Path, tmp_path: Path) -> None:
    """Files that list scenes are looked for before anything is built."""
    (scannet / gone).unlink()
    with pytest.raises(
        MissingFileError, match=rf"'.*data/{gone}' \(\w+_dataloader\.dataset\.\w+\) does not exist;"
    ):
        prepare('full/pointmae_mini_scannet_seg', scannet, tmp_path / 'run')
