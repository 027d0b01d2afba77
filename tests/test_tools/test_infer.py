"""Classifying files from the command line."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from point_peft.apis import init_model
from point_peft.datasets.errors import DatasetError
from point_peft.engine.checkpoint import full_state, save_checkpoint
from point_peft.engine.config import load_config
from point_peft.engine.errors import ConfigError, PointPEFTError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/linear_probe/pointmae_mini_shapes.py'
OPTIONS = {'model.backbone.init_cfg': None}
CLASSES = [f'class {index}' for index in range(16)]


@pytest.fixture
def infer(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    """The tool as a module."""
    return load_tool('infer.py')


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A full checkpoint of random weights that knows its classes."""
    torch.manual_seed(0)
    path = tmp_path / 'model.pth'
    model = init_model(load_config(CONFIG, OPTIONS))
    content = dict(state_dict=full_state(model), meta=dict(dataset_meta=dict(classes=CLASSES)))
    torch.save(content, path)
    return path


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    """A cloud far from the origin, with more points than the model takes."""
    path = tmp_path / 'cloud.npy'
    np.save(path, np.random.default_rng(0).random((1500, 3)) * 20 + 7)
    return path


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    """A tetrahedron."""
    path = tmp_path / 'mesh.off'
    path.write_text('OFF\n4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 1 3\n3 0 2 3\n3 1 2 3\n')
    return path


def arguments(checkpoint: Path, *files: Path, **changes: Any) -> argparse.Namespace:
    """The tool's arguments."""
    defaults = dict(top_k=2, normalize='unit_sphere', png=None, device='cpu', cfg_options=OPTIONS)
    return argparse.Namespace(
        config=CONFIG, checkpoint=str(checkpoint), files=files, **{**defaults, **changes}
    )


def test_command_line(tmp_path: Path, checkpoint: Path, cloud: Path, mesh: Path) -> None:
    """A process without a display prints the classes of a cloud and a mesh, and draws both."""
    picture = tmp_path / 'picture.png'
    command = [
        sys.executable,
        'tools/infer.py',
        CONFIG,
        checkpoint,
        cloud,
        mesh,
        '--top-k',
        3,
        '--png',
        picture,
    ]
    command += ['--cfg-options', 'model.backbone.init_cfg=None']
    environment = {**os.environ, 'DISPLAY': '', 'COLUMNS': '300', 'OMP_NUM_THREADS': '1'}
    environment['PYTHONPATH'] = str(ROOT / 'projects')
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = [
        line.split() for line in done.stdout.splitlines() if ' class ' in line and 'probability' not in line
    ]
    assert [row[0] for row in rows if len(row) == 4] == [str(cloud), str(mesh)]
    probabilities = [float(row[-1]) for row in rows]
    assert len(probabilities) == 6
    assert probabilities[:3] == sorted(probabilities[:3], reverse=True)
    assert all(0 < value < 1 for value in probabilities)
    assert imread(picture).shape[:2] == (242, 440)


def test_same_as_the_model(infer: ModuleType, checkpoint: Path, cloud: Path) -> None:
    """The probabilities are those of the model on the normalised cloud, whatever its unit and place."""
    model = init_model(load_config(CONFIG, OPTIONS), checkpoint)
    points = infer.read_points(cloud, 'unit_sphere', 2048)
    assert points.norm(dim=1).max() == pytest.approx(1, abs=1e-6)
    scores = infer.classify(model, points, cloud)
    moved = cloud.with_name('moved.npy')
    np.save(moved, np.load(cloud) * 5 - 100)
    again = infer.classify(model, infer.read_points(moved, 'unit_sphere', 2048), moved)
    torch.testing.assert_close(scores, again, atol=1e-4, rtol=0)
    assert scores.sum() == pytest.approx(1, abs=1e-5)
    batch = model.data_preprocessor({'inputs': {'points': [points]}}, False)
    with torch.no_grad():
        torch.testing.assert_close(scores, model(batch['inputs']).softmax(dim=-1)[0])


def test_coordinates_can_be_kept(infer: ModuleType, cloud: Path) -> None:
    """Without normalisation the points are those of the file."""
    points = infer.read_points(cloud, None, 2048)
    np.testing.assert_array_equal(points.numpy(), np.load(cloud).astype(np.float32))


def test_table_by_hand(infer: ModuleType) -> None:
    """The highest first; a file is named once; no more rows than classes."""
    table = infer.result_table([Path('a'), Path('b')], [torch.tensor([0.2, 0.8])] * 2, ['x', 'y'], 5)
    assert [list(column.cells) for column in table.columns] == [
        ['a', '', 'b', ''],
        ['y', 'x'] * 2,
        ['0.8000', '0.2000'] * 2,
    ]


def test_classes_of_a_file_without_names(infer: ModuleType, tmp_path: Path, checkpoint: Path) -> None:
    """Names come from the training; numbers stand in where there are none, or of another number."""
    bare = tmp_path / 'bare.safetensors'
    save_checkpoint(bare, {'x': torch.zeros(1)}, {})
    assert infer.class_names(str(checkpoint), 16) == CLASSES
    assert infer.class_names(str(checkpoint), 3) == infer.class_names(str(bare), 3) == ['0', '1', '2']


def test_bad_files(infer: ModuleType, tmp_path: Path, checkpoint: Path, mesh: Path) -> None:
    """Each fault names the file."""
    few, spoilt, text = tmp_path / 'few.npy', tmp_path / 'spoilt.npy', tmp_path / 'cloud.las'
    np.save(few, np.random.default_rng(0).random((10, 3)))
    np.save(spoilt, np.full((100, 3), np.nan))
    text.touch()
    for path, error, message in (
        (few, PointPEFTError, 'few.npy.* cannot be classified: num_points=10 < num_groups=64'),
        (spoilt, DatasetError, 'spoilt.npy.* has a NaN or infinite coordinate: point 0'),
        (text, DatasetError, 'cloud.las.* has an unknown format; expected one of'),
        (tmp_path / 'none.ply', FileNotFoundError, 'none.ply.* does not exist'),
    ):
        with pytest.raises(error, match=message):
            infer.main(arguments(checkpoint, path))
    with pytest.raises(ConfigError, match='--top-k 0 prints nothing'):
        infer.main(arguments(checkpoint, mesh, top_k=0))
