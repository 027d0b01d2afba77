"""``tools/dataset_converters/indoor.py`` on small data in the layouts that are downloaded."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import warm_python
from mmengine.registry import DefaultScope

pytest.importorskip('mmdet3d')

import mmcv
from mmcv.ops import points_in_boxes_cpu
from raw_scans import TrueScan, write_class_file, write_scan
from scipy.io import savemat

from point_peft.engine.config import load_config
from point_peft.engine.config.tiers import check_tiers
from point_peft.engine.preflight import check_data
from point_peft.io.errors import MissingFileError, PointPEFTError
from point_peft.registry import DATASETS

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools/dataset_converters/indoor.py'
CONFIGS = ROOT / 'configs/_base_/datasets'

pytestmark = pytest.mark.filterwarnings('ignore')  # of packages of the tier


@pytest.fixture(autouse=True)
def scope() -> Iterator[None]:
    """Types without a prefix are this project's, as in every run."""
    with DefaultScope.overwrite_default_scope('point_peft'):
        yield


@pytest.fixture
def convert() -> Iterator[Callable[..., None]]:
    """The tool in this process: dataset, directory, and directory for what is made."""
    spec = importlib.util.spec_from_file_location('indoor_tool', TOOL)
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(dataset: str, root: Path, out_dir: Path | None = None) -> None:
        tool.main(argparse.Namespace(dataset=dataset, root_path=root, out_dir=out_dir, workers=2))

    yield run
    for name in [name for name in sys.modules if name.partition('.')[0] == 'tools']:
        del sys.modules[name]


def built(config: str, data_root: Path, loader: str = 'train_dataloader', **pipeline: Any) -> Any:
    """The dataset of a config on prepared data, without random transforms, all points kept in order."""
    cfg = load_config(CONFIGS / f'{config}.py', dict(data_root=str(data_root)))
    check_tiers(cfg)
    check_data(cfg)
    dataset = cfg[loader].dataset
    dataset = dataset.get('dataset', dataset)
    kept = ('LoadPoints', 'LoadAnnotations', 'GlobalAlignment', 'PointSegClassMapping', 'Pack3D')
    dataset.pipeline = [step for step in dataset.pipeline if any(name in step.type for name in kept)]
    return DATASETS.build(dataset)


def inside(boxes: Any, points: torch.Tensor) -> np.ndarray:
    """Which points (N, 3) are in which boxes (M); (N, M) bool, by mmcv."""
    return points_in_boxes_cpu(points[None, :, :3].contiguous(), boxes.tensor[None])[0].bool().numpy()


def files(directory: Path) -> set[str]:
    """Names of all files below a directory."""
    return {str(path.relative_to(directory)) for path in directory.rglob('*') if path.is_file()}


@pytest.fixture
def scannet(tmp_path: Path) -> tuple[Path, dict[str, TrueScan]]:
    """Three scans as they are downloaded: one with boxes and one without to train on, one to validate."""
    root = tmp_path / 'download'
    names = dict(
        scene0000_00=['wall', 'office chair', 'floor lamp', 'office chair', 'coffee table'],
        scene0001_00=['wall'],
        scene0002_01=['coffee table', 'wall'],
    )
    (root / 'meta_data').mkdir(parents=True)
    write_class_file(root / 'meta_data/scannetv2-labels.combined.tsv')
    (root / 'meta_data/scannetv2_train.txt').write_text('scene0000_00\nscene0001_00\n')
    (root / 'meta_data/scannetv2_val.txt').write_text('scene0002_01\n')
    true = {
        scan: write_scan(root / 'scans' / scan, objects, per_object=5000, seed=seed)
        for seed, (scan, objects) in enumerate(names.items())
    }
    return root, true


def test_scannet(scannet: tuple[Path, dict[str, TrueScan]], tmp_path: Path) -> None:
    """From download to the items of both tasks; what was downloaded stays as it was."""
    root, true = scannet
    downloaded = files(root)
    out_dir = tmp_path / 'data/scannet'
    command = [sys.executable, str(TOOL), 'scannet', '--root-path', str(root), '--out-dir', str(out_dir)]
    environment = {**os.environ, 'COLUMNS': '120'}
    done = warm_python.run(command, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "scannet_infos_train.pkl': 2 scenes, 3 boxes, 30000 points in the first scene" in done.stdout
    assert "scannet_infos_val.pkl': 1 scenes, 1 boxes, 15000 points" in done.stdout
    assert files(root) == downloaded
    assert not [path for path in out_dir.iterdir() if path.name.startswith('.')]

    first, empty = true['scene0000_00'], true['scene0001_00']
    detection = built('scannet_det', out_dir)
    assert [len(detection.get_ann_info(index)['gt_labels_3d']) for index in range(2)] == [3, 0]
    item = detection[0]
    truth, points = item['data_samples'].gt_instances_3d, item['inputs']['points']
    names = [detection.metainfo['classes'][label] for label in truth.labels_3d]
    assert names == ['chair', 'chair', 'table']
    np.testing.assert_allclose(truth.bboxes_3d.gravity_center, first.boxes[:, :3], atol=1e-4)
    np.testing.assert_allclose(truth.bboxes_3d.dims, first.boxes[:, 3:6], atol=1e-4)
    np.testing.assert_allclose(points[:, :3], first.aligned, atol=1e-5)
    truth.bboxes_3d.tensor[:, 3:6] += 1e-3  # rounding puts outermost points outside
    truth.bboxes_3d.tensor[:, 2] -= 5e-4
    instances = item['data_samples'].gt_pts_seg.pts_instance_mask
    for column, number in zip(inside(truth.bboxes_3d, points).T, (2, 4, 5)):
        assert column[instances == number].all()
    points = detection[1]['inputs']['points']
    np.testing.assert_allclose(points[:, :3], empty.aligned, atol=1e-5)

    rooms = built('scannet_seg', out_dir)
    assert sorted(set(rooms.scene_idxs.tolist())) == [0, 1]
    item = rooms[0]
    np.testing.assert_array_equal(item['inputs']['points'], first.vertices)
    expected = np.select([first.classes == number for number in (1, 5, 7)], [0, 4, 6], 20)
    np.testing.assert_array_equal(item['data_samples'].gt_pts_seg.pts_semantic_mask, expected)


def test_scannet_arrays(scannet: tuple[Path, dict], convert: Callable, tmp_path: Path) -> None:
    """Arrays that are there already are taken instead of the scans, but only if all are."""
    from point_peft.datasets.scannet_scans import export_scan, read_class_ids

    root, true = scannet
    made = tmp_path / 'made'
    (made / 'scannet_instance_data').mkdir(parents=True)
    (made / 'meta_data').symlink_to(root / 'meta_data')
    class_ids = read_class_ids(root / 'meta_data/scannetv2-labels.combined.tsv')
    for scan in true:
        export_scan(root / 'scans' / scan, made / 'scannet_instance_data', class_ids)
    missing = made / 'scannet_instance_data/scene0002_01_aligned_bbox.npy'
    kept = missing.read_bytes()
    missing.unlink()
    with pytest.raises(MissingFileError, match='run mmdet3d.s batch_load_scannet_data.py again') as caught:
        convert('scannet', made)
    assert str(missing) in str(caught.value)
    assert not (made / 'scannet_infos_train.pkl').exists()
    missing.write_bytes(kept)
    convert('scannet', made)
    assert [len(built('scannet_det', made, loader)) for loader in ('train_dataloader', 'val_dataloader')] == [
        2,
        1,
    ]
    convert('scannet', made)  # and once more over what is there
    assert len(files(made / 'points')) == 3


@pytest.mark.parametrize(
    ('gone', 'remedy'),
    [
        ('meta_data/scannetv2_val.txt', 'data/scannet/meta_data'),
        ('meta_data/scannetv2-labels.combined.tsv', 'data/scannet/meta_data'),
        ('scans/scene0002_01/scene0002_01.aggregation.json', '--type'),
    ],
)
def test_incomplete_scannet(scannet: tuple[Path, dict], convert: Callable, gone: str, remedy: str) -> None:
    """The file that is missing is named, and the step that gets it."""
    root, _ = scannet
    (root / gone).unlink()
    with pytest.raises(
        MissingFileError, match=f'does not exist; .*{remedy}.*, see docs/datasets.md'
    ) as caught:
        convert('scannet', root)
    assert f"'{root / gone}'" in str(caught.value)
    assert not (root / 'points').exists()


def write_sunrgbd(root: Path, kind: type = np.float32) -> tuple[np.ndarray, float]:
    """Two rooms as the Matlab scripts leave them, with a turned chair and a lamp; points of the chair and its yaw."""
    rng = np.random.default_rng(0)
    made = root / 'sunrgbd_trainval'
    for name in ('depth', 'image', 'calib', 'label'):
        (made / name).mkdir(parents=True)
    length, width, height, yaw = 0.5, 0.3, 0.4, 0.7  # half sizes: along the heading, across, up
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    chair = (rng.uniform(-1, 1, (20000, 3)) * [length, width, height]) @ turn.T + [1, 3, -0.5]
    points = np.concatenate([chair, rng.uniform([-2, 1, -1], [2, 5, 1], (40000, 3))])
    cloud = np.concatenate([points, rng.random(points.shape)], axis=1).astype(kind)
    box = f'1.0 3.0 -0.5 {width} {length} {height} {np.cos(yaw)} {np.sin(yaw)}'
    for number in (7, 8):
        savemat(made / f'depth/{number:06d}.mat', dict(instance=cloud))
        mmcv.imwrite(np.zeros((48, 64, 3), np.uint8), str(made / f'image/{number:06d}.jpg'))
        (made / f'calib/{number:06d}.txt').write_text('1 0 0 0 1 0 0 0 1\n500 0 0 0 500 0 30 20 1\n')
        lines = [f'chair 1 2 30 40 {box}', f'lamp 5 6 7 8 {box}']
        (made / f'label/{number:06d}.txt').write_text('\n'.join(lines) + '\n')
    (made / 'train_data_idx.txt').write_text('7\n')
    (made / 'val_data_idx.txt').write_text('8\n')
    return chair, yaw


def test_sunrgbd(tmp_path: Path, convert: Callable, capsys: pytest.CaptureFixture) -> None:
    """Turned boxes hold their points; classes beyond the ten have none; 50000 points are drawn."""
    _, yaw = write_sunrgbd(tmp_path)
    convert('sunrgbd', tmp_path)
    assert "sunrgbd_infos_val.pkl': 1 scenes, 1 boxes, 50000 points" in capsys.readouterr().out
    item = built('sunrgbd_det', tmp_path)[0]
    truth, points = item['data_samples'].gt_instances_3d, item['inputs']['points']
    assert truth.labels_3d.tolist() == [3]  # chair
    np.testing.assert_allclose(truth.bboxes_3d.gravity_center[0], [1, 3, -0.5], atol=1e-6)
    np.testing.assert_allclose(truth.bboxes_3d.tensor[0, 3:], [1.0, 0.6, 0.8, yaw], atol=1e-6)
    share = inside(truth.bboxes_3d, points).mean()
    assert share > 0.33  # a third of the points is the chair's
    truth.bboxes_3d.tensor[0, 6] *= -1
    assert inside(truth.bboxes_3d, points).mean() < 0.8 * share


def test_wrong_sunrgbd(tmp_path: Path, convert: Callable) -> None:
    """Numbers of 8 bytes, which mmdet3d would take for other ones; and a scene that Matlab passed over."""
    write_sunrgbd(tmp_path, np.float64)
    with pytest.raises(PointPEFTError, match=r'not those of a room; .* in Matlab single'):
        convert('sunrgbd', tmp_path)
    gone = tmp_path / 'sunrgbd_trainval/depth/000008.mat'
    gone.unlink()
    with pytest.raises(MissingFileError, match='passes over scenes that fail') as caught:
        convert('sunrgbd', tmp_path)
    assert str(gone) in str(caught.value)
    (tmp_path / 'sunrgbd_trainval/val_data_idx.txt').write_text('\n')
    with pytest.raises(PointPEFTError, match='lists no scene'):
        convert('sunrgbd', tmp_path)


def test_s3dis(tmp_path: Path, convert: Callable, capsys: pytest.CaptureFixture) -> None:
    """Six areas, boxes of the furniture, and the dataset of segmentation."""
    rng = np.random.default_rng(0)
    (tmp_path / 's3dis_data').mkdir()
    points = np.concatenate([rng.uniform(0, 4, (9000, 3)), rng.uniform(1, 2, (1000, 3))])
    cloud = np.concatenate([points, rng.integers(0, 256, points.shape)], axis=1).astype(np.float32)
    classes, objects = np.repeat([0, 8], [9000, 1000]), np.repeat([1, 2], [9000, 1000])  # ceiling, chair
    arrays = dict(point=cloud, sem_label=classes, ins_label=objects)
    for area in range(1, 7):
        (tmp_path / f'Stanford3dDataset_v1.2_Aligned_Version/Area_{area}/office_1').mkdir(parents=True)
        for name in ('.DS_Store', 'Area_alignmentAngle.txt'):
            (tmp_path / f'Stanford3dDataset_v1.2_Aligned_Version/Area_{area}/{name}').touch()
        for name, array in arrays.items():
            np.save(tmp_path / f's3dis_data/Area_{area}_office_1_{name}.npy', array)
    convert('s3dis', tmp_path)
    assert "s3dis_infos_Area_5.pkl': 1 scenes, 1 boxes, 10000 points" in capsys.readouterr().out
    rooms = built('s3dis_seg', tmp_path)
    assert len(rooms) == 10  # 10000 points, 4096 at a time, of 5 areas
    item = rooms[0]
    np.testing.assert_array_equal(item['inputs']['points'], cloud)
    np.testing.assert_array_equal(item['data_samples'].gt_pts_seg.pts_semantic_mask, classes)
    (tmp_path / 's3dis_data/Area_6_office_1_point.npy').unlink()
    with pytest.raises(MissingFileError, match='collect_indoor3d_data.py makes it'):
        convert('s3dis', tmp_path)


def test_no_directory(tmp_path: Path, convert: Callable) -> None:
    """A directory that is not there is not made."""
    with pytest.raises(MissingFileError, match='it should hold the downloaded files'):
        convert('scannet', tmp_path / 'nowhere')
    assert not (tmp_path / 'nowhere').exists()
