"""The datasets of detection: the built-in rooms, and the real ones through mmdet3d's classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

pytest.importorskip('mmdet3d')

from mmcv.ops import points_in_boxes_cpu
from mmdet3d.structures import DepthInstance3DBoxes

from point_peft.detection.shapes_scene import ShapesScene
from point_peft.engine.config import DATALOADERS, load_config
from point_peft.engine.preflight import check_files
from point_peft.io.errors import DatasetError
from point_peft.procedural.rooms import ROOM_CLASSES, make_room
from point_peft.registry import DATASETS

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs' / '_base_' / 'datasets'
REAL = ROOT.parent / 'shared' / 'data'
HEIGHT = 1
"""Columns that the pipelines append to the coordinates."""

pytestmark = pytest.mark.filterwarnings('ignore')  # of packages of the tier, for those that they use


@pytest.fixture(autouse=True)
def scope() -> Any:
    """Types without a prefix are this project's, as in every run."""
    with DefaultScope.overwrite_default_scope('point_peft'):
        yield


def config(name: str, data_root: Path, **changes: Any) -> Config:
    """A config as the tools read it, with everything in one process."""
    options: dict[str, Any] = {'data_root': str(data_root)}
    for loader in DATALOADERS:
        options |= {f'{loader}.num_workers': 0, f'{loader}.persistent_workers': False}
    return load_config(CONFIGS / f'{name}.py', options | changes)


def shapes_config(data_root: Path, **changes: Any) -> Config:
    """The config of the built-in rooms, with few of them."""
    scenes = {f'{loader}.dataset.num_scenes': 4 for loader in DATALOADERS}
    return config('shapes_scene', data_root, **scenes | {'train_dataloader.batch_size': 2} | changes)


def inside(boxes: DepthInstance3DBoxes, points: torch.Tensor) -> np.ndarray:
    """Which points (N, 3) are in which boxes (M); (N, M) bool, by mmcv."""
    return points_in_boxes_cpu(points[None, :, :3].contiguous(), boxes.tensor[None])[0].bool().numpy()


def ground_truth_metric(cfg: Config, dataset: Any) -> dict:
    """What the config's metric says if the truth is predicted."""
    evaluator = Evaluator(cfg.val_evaluator)
    evaluator.dataset_meta = dataset.metainfo
    for index in range(len(dataset)):
        truth = dataset[index]['data_samples'].eval_ann_info
        labels = torch.from_numpy(truth['gt_labels_3d'])
        predicted = dict(bboxes_3d=truth['gt_bboxes_3d'], labels_3d=labels, scores_3d=torch.ones(len(labels)))
        evaluator.process([dict(pred_instances_3d=predicted, eval_ann_info=truth)])
    return evaluator.evaluate(len(dataset))


@pytest.mark.parametrize('name', ['scannet_det', 'sunrgbd_det', 'shapes_scene'])
def test_shape_of_every_config(name: str) -> None:
    """What model configs take from these bases, and no more."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    assert 'model' not in cfg and 'data_preprocessor' not in cfg
    assert len(cfg.class_names) == cfg.num_classes == cfg.box_coder.num_sizes == len(cfg.box_coder.mean_sizes)
    assert (cfg.box_coder.num_dir_bins > 1) == cfg.box_coder.with_rot
    for loader in DATALOADERS:
        assert cfg[loader].collate_fn.type == 'pseudo_collate'
        dataset = cfg[loader].dataset.get('dataset', cfg[loader].dataset)
        sampling = [step for step in dataset.pipeline if step.type == 'mmdet3d.PointSample']
        assert [step.num_points for step in sampling] == [cfg.num_points]
        assert tuple(dataset.metainfo.classes) == tuple(cfg.class_names)


@pytest.mark.parametrize(('name', 'folder'), [('scannet_det', 'scannet'), ('sunrgbd_det', 'sunrgbd')])
def test_published_box_sizes(name: str, folder: str) -> None:
    """Classes are those of mmdet3d's dataset, and coders have the sizes of mmdet3d's VoteNet config."""
    import mmdet3d

    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    kind = MMENGINE_DATASETS.get(cfg.rooms.type)
    assert tuple(cfg.class_names) == kind.METAINFO['classes']
    published = sorted(
        (Path(mmdet3d.__file__).parent / '.mim' / 'configs' / 'votenet').glob(f'votenet_8xb*_{folder}-3d.py')
    )
    coder = Config.fromfile(published[0]).model.bbox_head.bbox_coder
    assert {key: value for key, value in coder.items() if key != 'type'} == cfg.box_coder


def test_built_in_batch(tmp_path: Path) -> None:
    """A batch of the config: coordinates and height, boxes and labels, and all of an object in its box."""
    cfg = shapes_config(tmp_path / 'rooms')
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    assert isinstance(loader.dataset, ShapesScene) and len(loader) == 2
    batch = next(iter(loader))
    for points, sample in zip(batch['inputs']['points'], batch['data_samples']):
        assert points.shape == (4096, 3 + HEIGHT) and points.dtype == torch.float32
        truth = sample.gt_instances_3d
        assert isinstance(truth.bboxes_3d, DepthInstance3DBoxes) and truth.bboxes_3d.with_yaw
        assert 3 <= len(truth.labels_3d) <= 8
        # Half of the points are on objects, so most boxes that were moved with their points hold many.
        assert (inside(truth.bboxes_3d, points).sum(axis=0) > 10).all()
        torch.testing.assert_close(points[:, 3], points[:, 2] - points[:, 2].min(), atol=0.05, rtol=0)


def test_boxes_hold_their_points(tmp_path: Path) -> None:
    """By mmdet3d's boxes and mmcv's test, after loading by mmdet3d and before augmentation."""
    load = [
        dict(type='mmdet3d.LoadPointsFromFile', coord_type='DEPTH', load_dim=6, use_dim=[0, 1, 2, 3, 4, 5]),
        dict(type='mmdet3d.LoadAnnotations3D', with_mask_3d=True, with_seg_3d=True),
    ]
    dataset = DATASETS.build(
        dict(
            type='ShapesScene',
            data_root=str(tmp_path),
            num_scenes=6,
            num_points=2048,
            pipeline=load,
            filter_empty_gt=False,
        )
    )
    for index in range(len(dataset)):
        item = dataset[index]
        room = make_room(index, num_points=2048)
        points, boxes = item['points'].tensor, item['gt_bboxes_3d']
        np.testing.assert_array_equal(points, room.points)
        np.testing.assert_array_equal(item['pts_instance_mask'], room.instances)
        np.testing.assert_array_equal(item['pts_semantic_mask'], room.semantics)
        np.testing.assert_array_equal(item['gt_labels_3d'], room.labels)
        np.testing.assert_allclose(boxes.gravity_center, room.boxes[:, :3], atol=1e-6)
        held = inside(boxes, points)
        for number in range(len(boxes)):
            own = room.instances == number + 1
            assert held[own, number].all()
            assert not held[(room.instances > 0) & ~own, number].any()
        # The other sign of the yaw, or the bottom for the center, would not pass this.
        turned = boxes.clone()
        turned.tensor[:, 6] *= -1
        lifted = boxes.clone()
        lifted.tensor[:, 2] += lifted.tensor[:, 5] / 2
        for wrong in (turned, lifted):
            assert not all(inside(wrong, points)[room.instances == n + 1, n].all() for n in range(len(boxes)))


def test_augmentation_moves_boxes_with_points(tmp_path: Path) -> None:
    """Flips, turns and scales of mmdet3d keep every object in its box; the masks follow the sampling."""
    cfg = shapes_config(tmp_path)
    pipeline = list(cfg.train_pipeline)
    pipeline[1] = dict(type='mmdet3d.LoadAnnotations3D', with_mask_3d=True, with_seg_3d=True)
    keys = [*pipeline[-1]['keys'], 'pts_instance_mask']
    pipeline[-1] = dict(type='mmdet3d.Pack3DDetInputs', keys=keys)
    dataset = ShapesScene(str(tmp_path), num_scenes=4, pipeline=pipeline)
    yaws = []
    for index in [*range(4)] * 4:
        item = dataset[index]
        sample = item['data_samples']
        boxes = sample.gt_instances_3d.bboxes_3d.enlarged_box(2e-3)  # turning rounds to float32 once more
        held = inside(boxes, item['inputs']['points'])
        instances = sample.gt_pts_seg.pts_instance_mask
        assert all(held[instances == number + 1, number].all() for number in range(len(boxes)))
        yaws.append(float(boxes.yaw[0]))
    assert len(set(yaws)) == 16


def test_metric_of_the_truth(tmp_path: Path) -> None:
    """mmdet3d's metric gives 1 if the truth is predicted."""
    cfg = shapes_config(tmp_path)
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    assert dataset.metainfo['classes'] == ROOM_CLASSES
    result = ground_truth_metric(cfg, dataset)
    assert result['mAP_0.25'] == result['mAP_0.50'] == result['mAR_0.25'] == 1


def test_second_start_reads_the_same_files(tmp_path: Path) -> None:
    """Nothing is written again; splits have directories of their own."""
    cfg = shapes_config(tmp_path / 'new')
    first = [DATASETS.build(cfg[loader].dataset) for loader in DATALOADERS]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / 'new').rglob('*')}
    second = [DATASETS.build(cfg[loader].dataset) for loader in DATALOADERS]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / 'new').rglob('*')} == before
    assert len({dataset.data_root for dataset in [*first, *second]}) == 3
    assert first[0].get_data_info(0)['lidar_points'] == second[0].get_data_info(0)['lidar_points']


def test_data_need_not_exist_before_a_run(tmp_path: Path) -> None:
    """The check before a run does not ask for what the dataset makes, but still for what it does not."""
    cfg = shapes_config(tmp_path / 'new')
    cfg.model = dict(type='any')
    check_files(cfg)
    with pytest.raises(FileNotFoundError, match=r'mmdet3d\.ScanNetDataset not found'):
        real = config('scannet_det', tmp_path / 'none')
        real.model = dict(type='any')
        check_files(real)


def test_unusable_directories(tmp_path: Path) -> None:
    """One sentence each for a directory that cannot be written and for files that are damaged."""
    (tmp_path / 'locked').mkdir(mode=0o555)
    with pytest.raises(DatasetError, match=r'locked.*set data_root to a directory that can be written\.$'):
        ShapesScene(str(tmp_path / 'locked'), num_scenes=1)
    dataset = ShapesScene(str(tmp_path / 'rooms'), num_scenes=2)
    Path(dataset.get_data_info(1)['lidar_points']['lidar_path']).write_bytes(b'')
    with pytest.raises(DatasetError, match=r"train_000001\.bin' is missing or damaged; .* delete '"):
        ShapesScene(str(tmp_path / 'rooms'), num_scenes=2)


@pytest.mark.parametrize(
    ('name', 'folder', 'sizes', 'yaw'),
    [('scannet_det', 'scannet', (10, 1), False), ('sunrgbd_det', 'sunrgbd', (20, 2), True)],
)
def test_real_files(name: str, folder: str, sizes: tuple[int, int], yaw: bool) -> None:
    """Real scans go through the pipelines of the configs, and the metric knows its truth."""
    if not (REAL / folder).is_dir():
        pytest.skip(f'{REAL / folder} is not here')
    cfg = config(name, REAL / folder, **{'train_dataloader.batch_size': 2})
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    assert len(loader.dataset) == sizes[0]
    batch = next(iter(loader))
    for points, sample in zip(batch['inputs']['points'], batch['data_samples']):
        assert points.shape == (cfg.num_points, 3 + HEIGHT)
        truth = sample.gt_instances_3d
        assert truth.bboxes_3d.with_yaw is yaw and len(truth.labels_3d) > 0
        assert (inside(truth.bboxes_3d, points).sum(axis=0) > 5).mean() > 0.8
        if not yaw:
            assert sample.gt_pts_seg.pts_instance_mask.shape == (cfg.num_points,)
            assert sample.gt_pts_seg.pts_semantic_mask.max() <= cfg.num_classes
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    assert len(dataset) == sizes[1]
    assert dataset[0]['inputs']['points'].shape == (cfg.num_points, 4)
    assert ground_truth_metric(cfg, dataset)['mAP_0.50'] == 1
