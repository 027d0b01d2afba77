"""Pictures of rooms through mmdet3d's own classes, and the tools that draw and check them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import warm_python
from matplotlib.image import imread
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

pytest.importorskip('mmdet3d')

from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample, PointData

from point_peft.engine.checkpoint import full_state
from point_peft.engine.config import load_config
from point_peft.engine.config.tiers import check_tiers
from point_peft.registry import DATASETS, MODELS
from point_peft.visualization import show_boxes, show_sample
from point_peft.visualization.space import box_edges

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / 'shared' / 'data'
CONFIG = 'configs/full/pointmae_mini_votenet_shapes_scene.py'
DATA = 'configs/_base_/datasets/shapes_scene.py'
META = dict(classes=('bed', 'chair', 'table'))
POINTS = torch.rand(30, 4, generator=torch.Generator().manual_seed(0))
TRUTH = torch.tensor([[1.0, 2, 0, 2, 1, 0.5, 0.3], [0, 1, 0.2, 0.5, 0.4, 1, -1.2], [3, 3, 1, 1, 0.2, 2, 4.0]])

pytestmark = pytest.mark.filterwarnings('ignore')  # of packages of the tier, for those that they use


def detected(scores: list[float]) -> Det3DDataSample:
    """A sample as a detector leaves it after a test: true boxes to evaluate with, and predicted ones."""
    sample = Det3DDataSample(metainfo=dict(sample_idx=0, lidar_path='points/room.bin'))
    sample.gt_instances_3d = InstanceData()
    sample.gt_pts_seg = PointData()
    sample.eval_ann_info = dict(gt_bboxes_3d=DepthInstance3DBoxes(TRUTH), gt_labels_3d=np.array([0, 2, 1]))
    found = InstanceData()
    found.bboxes_3d = DepthInstance3DBoxes(TRUTH[: len(scores)])
    found.scores_3d = torch.tensor(scores)
    found.labels_3d = torch.arange(len(scores))
    sample.pred_instances_3d = found
    return sample


def corners_of(boxes: np.ndarray) -> np.ndarray:
    """The 8 corners (M, 8, 3) of drawn boxes, sorted."""
    ends = box_edges(boxes, 'z').reshape(len(boxes), -1, 3).round(4)
    return np.stack([np.unique(corners, axis=0) for corners in ends])


def test_edges_are_those_of_mmdet3d() -> None:
    """Drawn boxes have mmdet3d's corners: its center is that of the lower side, and it turns the same way."""
    shown = show_sample(detected([0.9, 0.2, 0.5]), POINTS, META)
    expected = DepthInstance3DBoxes(TRUTH).corners.double().numpy().round(4)
    expected = np.stack([np.unique(corners, axis=0) for corners in expected])
    np.testing.assert_allclose(corners_of(shown.boxes['true']), expected, atol=1e-3)
    np.testing.assert_allclose(corners_of(shown.boxes['predicted']), expected[[0, 2]], atol=1e-3)
    assert shown.box_labels['predicted'].tolist() == [0, 2]
    assert shown.title == 'room.bin\n3 true boxes, best 2 of 3 predicted boxes (scores from 0.3)'


def test_rooms_without_boxes() -> None:
    """Nothing is there and nothing is found: both panels stay, without boxes."""
    sample = detected([])
    none = DepthInstance3DBoxes(np.zeros((0, 6), dtype=np.float32), box_dim=6, with_yaw=False)
    sample.eval_ann_info = dict(gt_bboxes_3d=none, gt_labels_3d=np.zeros(0, dtype=np.int64))
    shown = show_sample(sample, POINTS, META)
    assert shown.panels == ('true', 'predicted')
    assert shown.boxes['true'].shape == shown.boxes['predicted'].shape == (0, 7)


def test_semantic_masks() -> None:
    """Masks in mmdet3d's own fields are found, the number behind the last class is none."""
    sample = Det3DDataSample(metainfo=dict(lidar_path='points/room.bin'))
    truth = torch.arange(30) % 4
    sample.gt_pts_seg = PointData(pts_semantic_mask=truth)
    sample.pred_pts_seg = PointData(pts_semantic_mask=truth.clamp(max=2))
    shown = show_sample(sample, POINTS, META)
    assert shown.title == 'room.bin: 100.0 % of the points with a class are right'
    assert shown.labels['true'][:4].tolist() == [0, 1, 2, -1]


@pytest.mark.skipif(not REAL.is_dir(), reason='the real rooms are not here')
@pytest.mark.parametrize(
    ('name', 'classes', 'share'),
    [('scannet', {'bed', 'sofa', 'cabinet'}, 0.3), ('sunrgbd', {'bed', 'dresser'}, 0.25)],
)
def test_real_boxes_stand_where_the_objects_are(name: str, classes: set[str], share: float) -> None:
    """Many of the points are in the drawn boxes, and few in the same boxes lifted above themselves."""
    cfg = load_config(ROOT / f'configs/_base_/datasets/{name}_det.py', {'data_root': str(REAL / name)})
    with DefaultScope.overwrite_default_scope('point_peft'):
        check_tiers(cfg)
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
    torch.manual_seed(0)
    np.random.seed(0)
    item = dataset[0]
    shown = show_boxes(item['data_samples'], item['inputs']['points'], dataset.metainfo)
    assert {shown.names[label] for label in shown.box_labels['true'].tolist()} >= classes
    boxes = shown.boxes['true']
    there = inside(shown.points, boxes)
    assert there.mean() > share
    assert inside(shown.points, boxes + [0, 0, boxes[:, 5].max(), 0, 0, 0, 0]).mean() < there.mean() / 2


def inside(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Whether points (N, 3) are in any of some boxes (M, 7)."""
    offset = points[:, None] - boxes[:, :3]
    cosine, sine = np.cos(boxes[:, 6]), np.sin(boxes[:, 6])
    along = offset[..., 0] * cosine + offset[..., 1] * sine
    across = offset[..., 1] * cosine - offset[..., 0] * sine
    turned = np.abs(np.stack([along, across, offset[..., 2]], axis=-1))
    return (turned <= boxes[:, 3:6] / 2).all(axis=-1).any(axis=1)


def run(tool: str, *arguments: Any) -> str:
    """Run a tool on the built-in rooms, of which only a few are made; its output. Arguments end with options."""
    options = [f'{split}_dataloader.dataset.num_scenes=3' for split in ('train', 'val', 'test')]
    options += [f'{split}_dataloader.dataset.num_points=1024' for split in ('train', 'val', 'test')]
    command = [sys.executable, f'tools/{tool}', *arguments, *options]
    done = warm_python.run(command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_browse(tmp_path: Path) -> None:
    """One picture and one page of rooms with true boxes, from data that need not be there before."""
    out = tmp_path / 'out'
    flags = ['--out-dir', out, '--cfg-options', f'data_root={tmp_path / "data"}']
    output = run('misc/browse_dataset.py', DATA, *flags)
    assert sorted(path.name for path in out.iterdir()) == ['train.html', 'train_000.png']
    assert str(out / 'train.html') in output
    page = (out / 'train.html').read_text()
    assert 'src="http' not in page
    assert page.count(' true boxes') >= 3 and '"mode":"lines"' in page
    picture = imread(out / 'train_000.png')[..., :3]
    colored = picture.max(axis=-1) - picture.min(axis=-1) > 0.2
    assert 0.001 < colored.mean() < 0.2 and (picture < 1).any(axis=-1).mean() < 0.5


def test_rooms_of_a_test(tmp_path: Path) -> None:
    """A detector of random weights is tested: true and predicted boxes side by side, as many as are asked for."""
    cfg = load_config(ROOT / CONFIG)
    with DefaultScope.overwrite_default_scope('point_peft'):
        check_tiers(cfg)
        model = MODELS.build(cfg.model)
    torch.save(dict(state_dict=full_state(model), meta={}), tmp_path / 'model.pth')
    out, metrics = tmp_path / 'out', tmp_path / 'metrics.json'
    flags = ['--device', 'cpu', '--work-dir', tmp_path, '--show-dir', out, '--show-num', 2, '--show-score', 0]
    options = ['--cfg-options', f'data_root={tmp_path / "data"}']
    run('test.py', CONFIG, tmp_path / 'model.pth', *flags, '--out', metrics, *options)
    assert sorted(path.name for path in out.iterdir()) == ['cloud_000.png', 'cloud_001.png', 'clouds.html']
    assert 'mAP_0.25' in json.loads(metrics.read_text(), parse_constant=pytest.fail)
    titles = set(
        re.findall(r'\d+ true boxes, best \d+ of \d+ predicted boxes', (out / 'clouds.html').read_text())
    )
    assert len(titles) >= 1 and all('best 0' not in title for title in titles)
    picture = imread(out / 'cloud_000.png')[..., :3]
    height, width = picture.shape[:2]
    assert width > 1.4 * height
    for panel in (picture[: height // 2, : width // 2], picture[: height // 2, width // 2 :]):
        assert (panel.max(axis=-1) - panel.min(axis=-1) > 0.2).sum() > 100


def test_check(tmp_path: Path) -> None:
    """Boxes of every class in every split."""
    output = run('dataset_converters/check_dataset.py', DATA, '--cfg-options', f'data_root={tmp_path}')
    rows = [line.replace('│', ' ').split() for line in output.splitlines() if '│' in line]
    assert ['clouds', '3', '3', '3'] in rows
    counts = np.array(
        [[int(cell) for cell in row[1:]] for row in rows if row[0] in ('bed', 'chair', 'table')]
    )
    assert counts.shape == (3, 3) and (counts.sum(axis=0) > 0).all()
    assert 'Boxes' in output
