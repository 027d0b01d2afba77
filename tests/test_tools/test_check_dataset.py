"""The tool that reads all clouds of a config's datasets."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest

from point_peft.io.errors import DatasetError

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'datasets'


@pytest.fixture
def check(load_tool: Callable[[str], ModuleType]) -> Callable[[str, Path], None]:
    """Function that runs the tool on a config and data."""
    tool = load_tool('dataset_converters/check_dataset.py')

    def run(config: str, root: Path) -> None:
        tool.main(argparse.Namespace(config=str(CONFIGS / config), cfg_options=dict(data_root=str(root))))

    return run


@pytest.fixture
def clouds(tmp_path: Path) -> Path:
    """Two classes of six clouds."""
    rng = np.random.default_rng(0)
    for name in ('ball', 'can[bold]'):
        (tmp_path / 'clouds' / name).mkdir(parents=True)
        for number in range(6):
            np.save(tmp_path / 'clouds' / name / f'{number}.npy', rng.random((50, 3)))
    return tmp_path / 'clouds'


def test_folder(check: Callable, clouds: Path, capsys: pytest.CaptureFixture, log) -> None:
    """Objects are counted, names are letters, and what is left out is named once."""
    (clouds / 'ball' / '._0.npy').write_bytes(b'mac')
    (clouds / '__MACOSX').mkdir()
    for name in ('w.npz', 'v.blend'):
        (clouds / 'ball' / name).touch()
    check('folder.py', clouds)
    printed = capsys.readouterr().out
    assert 'can[bold]' in printed and '__MACOSX' not in printed
    (warning,) = [text for text in log.at('WARNING') if 'left out' in text]
    assert "ball': 2 of 8 entries are left out, 'v.blend', 'w.npz'" in warning


@pytest.mark.parametrize(
    ('points', 'message'),
    [
        (np.full((600, 3), 2.5), 'has no extent'),
        (np.eye(4), 'matrix|pose'),
        (np.where(np.arange(150).reshape(50, 3) == 99, np.nan, 1.0), 'NaN or infinite'),
        (np.arange(150.0).reshape(50, 3) * 1e18, 'overflow|too large'),
    ],
)
def test_bad_cloud(check: Callable, clouds: Path, points: np.ndarray, message: str) -> None:
    """The file is named."""
    np.save(clouds / 'ball' / '3.npy', points)
    with pytest.raises(DatasetError, match=f'ball/3.npy.*({message})'):
        check('folder.py', clouds)


@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        (np.full(20, 0.5), 'whole number'),
        (np.full(20, np.nan), 'whole number'),
        (np.full(20, -1), 'label -1, outside'),
        (np.array(['bag'] * 20, dtype='S'), 'label|number'),
    ],
)
def test_bad_labels(check: Callable, tmp_path: Path, labels: np.ndarray, message: str) -> None:
    """Of an h5 file: named in one sentence."""
    (tmp_path / 'main_split_nobg').mkdir()
    for subset in ('training', 'test'):
        with h5py.File(tmp_path / 'main_split_nobg' / f'{subset}_objectdataset.h5', 'w') as file:
            file['data'] = np.random.default_rng(0).random((20, 30, 3))
            file['label'] = labels
    with pytest.raises(DatasetError, match=f'objectdataset.h5.*({message})'):
        check('scanobjnn_objonly.py', tmp_path)
