"""Boxes in rooms from Python: what a test finds, from files and arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet3d')

from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import save_checkpoint
from small_detectors import small_config

from point_peft.apis import Inferencer, extract_features, init_model
from point_peft.engine.checkpoint import full_state
from point_peft.io.errors import ConfigError, DatasetError, InvalidValueError, PointPEFTError
from point_peft.registry import DATASETS

pytestmark = [
    pytest.mark.usefixtures('scope'),
    pytest.mark.filterwarnings('ignore'),  # of packages of the tier, for those that they use
]


@pytest.fixture
def detector(tmp_path: Path) -> tuple[Config, Path]:
    """A small detector on the built-in rooms, with a random head, and its checkpoint."""
    cfg = small_config('full', 'votenet', 'shapes_scene', tmp_path / 'rooms', check_data=False)
    cfg.test_dataloader.dataset.num_scenes = 3
    cfg.model.test_cfg.score_thr = 0.0
    torch.manual_seed(0)
    model = init_model(cfg)
    meta = dict(dataset_meta=dict(classes=cfg.class_names), cfg=cfg.pretty_text)
    save_checkpoint(dict(state_dict=full_state(model), meta=meta), str(tmp_path / 'votenet.pth'))
    return cfg, tmp_path / 'votenet.pth'


def test_as_a_test(detector: tuple[Config, Path]) -> None:
    """Files of the data set, and arrays of the same points, in any order, with pictures."""
    inferencer = Inferencer(*detector)
    dataset = DATASETS.build(detector[0].test_dataloader.dataset)
    expected = []
    for index in range(3):
        np.random.seed(0)
        torch.manual_seed(0)
        batch = pseudo_collate([dataset[index]])
        with torch.no_grad():
            expected.append(inferencer.model.test_step(batch)[0].pred_instances_3d)
    files = [dataset.get_data_info(index)['lidar_points']['lidar_path'] for index in range(3)]
    results = inferencer(files)
    assert [result['source'] for result in results] == files
    assert any(len(result['bboxes_3d']) for result in results)
    for result, found in zip(results, expected):
        np.testing.assert_allclose(result['scores_3d'], found.scores_3d.numpy(), atol=1e-5)
        np.testing.assert_array_equal(result['labels_3d'], found.labels_3d.numpy())
        np.testing.assert_allclose(
            result['bboxes_3d'][:, :3], found.bboxes_3d.gravity_center.numpy(), atol=1e-5
        )
        assert result['bboxes_3d'].shape[1] == 7 and result['classes'] == tuple(detector[0].class_names)
    rooms = [np.fromfile(file, dtype=np.float32).reshape(-1, 6) for file in files]
    again = inferencer([rooms[2], torch.from_numpy(rooms[0][:, :3])], batch_size=2, return_vis=True)
    for result, index in zip(again, (2, 0)):
        np.testing.assert_allclose(result['scores_3d'], results[index]['scores_3d'], atol=1e-5)
        np.testing.assert_array_equal(result['points'], results[index]['points'])
        assert result['visualization'].dtype == np.uint8


def test_rooms_that_are_none(detector: tuple[Config, Path], tmp_path: Path) -> None:
    """One sentence; a bad file among others is passed over."""
    inferencer = Inferencer(*detector)
    room = np.random.default_rng(0).random((3000, 6)).astype(np.float32) * 3
    room.tofile(tmp_path / 'room.bin')
    (tmp_path / 'bad.bin').write_bytes(b'1234' * 5)
    results = inferencer([tmp_path / 'bad.bin', tmp_path / 'room.bin'])
    assert (
        'holds 5 numbers; expected 6 for every point' in results[0]['error'] and results[1]['error'] is None
    )
    with pytest.raises(DatasetError, match=r'array 0 has shape \(9, 2\); the model uses 3 columns'):
        inferencer(room[:9, :2])
    with pytest.raises(DatasetError, match='array 1 has a NaN'):
        inferencer([room, np.full((9, 6), np.nan)])
    with pytest.raises(ConfigError, match="normalize='unit_sphere' is for objects; rooms stay in metres"):
        Inferencer(*detector, normalize='unit_sphere')
    with pytest.raises(ConfigError, match='a category is for part segmentation, but the model is a VoteNet'):
        inferencer(room, category='bed')
    with pytest.raises(InvalidValueError, match='VoteNet is for rooms; features are those of single objects'):
        extract_features(inferencer, room)


def test_a_checkpoint_alone(detector: tuple[Config, Path]) -> None:
    """Parts of other packages are not imported because a file names them."""
    with pytest.raises(PointPEFTError, match='mmdet3d.*is not a part of this package.*give the config too'):
        Inferencer(detector[1])
