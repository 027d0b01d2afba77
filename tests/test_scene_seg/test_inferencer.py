"""Classes of the points of rooms from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from rooms import room

from point_peft.apis import Inferencer, init_model
from point_peft.engine.checkpoint import full_state
from point_peft.engine.config import load_config
from point_peft.io.errors import DatasetError

pytestmark = [
    pytest.mark.usefixtures('detection_tier'),
    pytest.mark.filterwarnings('ignore'),  # of packages of the tier, for those that they use
]


def test_points_of_a_room(tmp_path: Path) -> None:
    """Every point gets a class, always the same one; color is needed."""
    options = {'model.test_cfg.num_points': 512, 'model.test_cfg.batch_size': 4}
    cfg = load_config('full/pointmae_mini_s3dis_seg', options)
    torch.manual_seed(0)
    torch.save(dict(state_dict=full_state(init_model(cfg)), meta={}), tmp_path / 'seg.pth')
    inferencer = Inferencer(cfg, tmp_path / 'seg.pth')
    rooms = [room(100, seed=seed)[0] for seed in (0, 1)]
    rooms[1].tofile(tmp_path / 'room.bin')
    first, second = inferencer([rooms[0], tmp_path / 'room.bin'], return_vis=True)
    assert first['pred_point_labels'].shape == (500,) and first['pred_point_labels'].max() < 13
    assert first['visualization'].ndim == 3
    np.testing.assert_array_equal(inferencer(rooms[1])[0]['pred_point_labels'], second['pred_point_labels'])
    with pytest.raises(DatasetError, match=r'array 0 has shape \(500, 3\); the model uses 6 columns'):
        inferencer(rooms[0][:, :3])
