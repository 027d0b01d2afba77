"""Files beside clouds that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from point_peft.datasets import PointCloudFolder
from point_peft.io.errors import DatasetError

CLOUD = np.random.default_rng(0).random((60, 3))


@pytest.fixture
def chair(tmp_path: Path) -> Path:
    """``train/chair`` with two clouds."""
    folder = tmp_path / 'train' / 'chair'
    folder.mkdir(parents=True)
    np.savetxt(folder / 'scan1.txt', CLOUD)
    np.save(folder / 'scan2.npy', CLOUD)
    return folder


def load(chair: Path) -> PointCloudFolder:
    """The folder as a dataset."""
    return PointCloudFolder(chair.parents[1], split='trainval', num_points=16)


@pytest.mark.parametrize(
    ('name', 'rows'),
    [
        ('scan1_pose.txt', np.eye(4)),
        ('scan1-pose.TXT', np.eye(4)),
        ('scan1Pose.txt', np.eye(4)),
        ('pose_0001.txt', np.eye(4)),
        ('poses.txt', np.tile(np.eye(4), (50, 1))),
        ('intrinsics.txt', np.eye(3)),
        ('camera_intrinsic.npy', np.eye(3)),
        ('labels.txt', np.ones((60, 1))),
        ('scan1_labels.txt', np.ones((60, 3)) + CLOUD),
        ('scan1_normals.txt', CLOUD),
        ('scan2.bbox.txt', CLOUD[:8]),
    ],
)
def test_refused_by_its_name(chair: Path, name: str, rows: np.ndarray) -> None:
    """Before anything is read."""
    (np.save if name.endswith('npy') else np.savetxt)(chair / name, rows)
    with pytest.raises(DatasetError, match=rf"chair/{name}' .* its name says that it is none; move it out"):
        load(chair)


def test_notes(chair: Path) -> None:
    """A text of words."""
    (chair / 'README.txt').write_text('These are chairs.\n')
    with pytest.raises(DatasetError, match="README.txt' lies among the clouds .* move it out"):
        load(chair)


@pytest.mark.parametrize(
    ('name', 'rows', 'message'),
    [
        ('other.txt', np.eye(4) + 0.1, 'matrix'),
        ('other.npy', np.random.default_rng(0).random((3, 3)), '3'),
        ('one.xyz', CLOUD[:1], ''),
        ('frames.txt', np.tile(np.eye(4), (50, 1)), r'holds 50 poses \(4 x 4\)'),
        ('frames.npy', np.tile(np.eye(4), (50, 1)), r'holds 50 poses \(4 x 4\)'),
    ],
)
def test_refused_by_what_it_holds(chair: Path, name: str, rows: np.ndarray, message: str) -> None:
    """Matrices under other names."""
    (np.save if name.endswith('npy') else np.savetxt)(chair / name, rows)
    with pytest.raises(DatasetError, match=f"chair/{name}' .*{message}"):
        load(chair)


@pytest.mark.parametrize(
    'name',
    [
        'normals.txt',
        'chair_normals.txt',
        'posed.txt',
        'matrixed_3.npy',
        '007.txt',
        'scan1_b.txt',
        'камень.txt',
    ],
)
def test_clouds_with_such_names(chair: Path, name: str) -> None:
    """A word within a word, or of another file that is not there, says nothing."""
    (np.save if name.endswith('npy') else np.savetxt)(chair / name, CLOUD)
    assert len(load(chair)) == 3


def test_a_class_of_that_name(tmp_path: Path) -> None:
    """Where the class is called so, its files may be."""
    folder = tmp_path / 'train' / 'warrior_pose'
    folder.mkdir(parents=True)
    np.savetxt(folder / 'warrior_pose_01.txt', CLOUD)
    assert len(PointCloudFolder(tmp_path, split='trainval', num_points=16)) == 1
