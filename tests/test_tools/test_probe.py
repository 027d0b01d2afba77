"""The tool that probes backbones."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from matplotlib.image import imread

from point_peft.backbones import PointMAE
from point_peft.io.errors import ConfigError, MissingFileError

BACKBONE = dict(
    embed_dim=24,
    depth=2,
    num_heads=3,
    num_groups=16,
    group_size=8,
    patch_dims=(8, 16, 32),
    drop_path_rate=0.0,
)
SHAPES = dict(type='ProceduralShapes', num_samples=48, num_points=128)


@pytest.fixture
def tool(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    """The tool as a module."""
    return load_tool('analysis_tools/probe.py')


def config(
    path: Path, *, backbone: dict[str, Any] | None = None, train: Any = SHAPES, test: Any = SHAPES
) -> str:
    """A config file with a small backbone and data."""
    model = dict(
        type='PointClassifier',
        backbone=dict(type='PointMAE', **BACKBONE, **(backbone or {})),
        head=dict(type='PointClsHead', num_classes=16),
    )
    loaders = dict(train_dataloader=train and dict(dataset=train), test_dataloader=dict(dataset=test))
    lines = [f'model = {model!r}', *(f'{name} = {value!r}' for name, value in loaders.items())]
    path.write_text(
        '\n'.join(lines) + "\ndata_preprocessor = dict(type='PointDataPreprocessor', num_points=64)\n"
    )
    return str(path)


def arguments(out: Path, *configs: str, **changes: Any) -> argparse.Namespace:
    """Arguments of the tool."""
    given = dict(
        configs=list(configs), checkpoint=None, shots=[1], draws=2, folds=None, seed=0, no_random=False, threads=None,
        out=out, cfg_options={},
    )  # fmt: skip
    return argparse.Namespace(**{**given, **changes})


def test_table_numbers_and_picture(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A row for the weights and one for random ones, with means and all values behind them."""
    test = SHAPES | dict(split='test')
    path = config(tmp_path / 'a.py', test=test)
    tool.main(arguments(tmp_path / 'out', path))
    table = (tmp_path / 'out' / 'probe.md').read_text()
    assert '1 per class' in table and 'retrieval mAP' in table and table.count('\n') == 4
    assert table.strip() in capsys.readouterr().out
    rows = json.loads((tmp_path / 'out' / 'probe.json').read_text())['rows']
    assert [row['name'] for row in rows] == [path, 'the same with random weights']
    assert rows[0]['width'] == 48 and len(rows[0]['values']['linear_1_shot']) == 2
    assert all(0 <= value <= 100 for row in rows for value in row['mean'].values())
    assert imread(tmp_path / 'out' / 'features.png').ndim == 3


def test_pretrained_weights_count(tool: ModuleType, tmp_path: Path) -> None:
    """Weights of a file are what is measured: of a network without any effect of the cloud, chance is left."""
    network = PointMAE(**BACKBONE)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    torch.save(network.state_dict(), tmp_path / 'zero.pth')
    path = config(tmp_path / 'a.py', test=SHAPES | dict(split='test'))
    tool.main(arguments(tmp_path / 'out', path, checkpoint=str(tmp_path / 'zero.pth')))
    zero, random = json.loads((tmp_path / 'out' / 'probe.json').read_text())['rows']
    assert zero['mean']['linear'] == pytest.approx(100 / 16)
    assert random['mean']['linear'] > 10


def test_folds(tool: ModuleType, tmp_path: Path) -> None:
    """Cross-validation: one value per fold, on a labelled collection."""
    rng = np.random.default_rng(0)
    label = np.arange(24) % 2
    points = rng.standard_normal((24, 64, 3)) * np.where(label == 0, 1.0, 0.05)[:, None, None] ** [
        [[1, 0, 0]]
    ]
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        file['data'], file['label'], file['fold'] = points, label, np.arange(24) // 8
        file['name'] = np.array(['x'] * 24, dtype=h5py.string_dtype())
        file['classes'] = np.array(['round', 'flat'], dtype=h5py.string_dtype())
        file.attrs['up'] = 'z'
    data = dict(type='LabelledCollection', data_root=str(tmp_path / 'a.h5'), split='test')
    path = config(tmp_path / 'a.py', train=None, test=data)
    tool.main(arguments(tmp_path / 'out', path, folds=3, no_random=True))
    (row,) = json.loads((tmp_path / 'out' / 'probe.json').read_text())['rows']
    assert len(row['values']['linear']) == 3 and len(row['values']['linear_1_shot']) == 6
    assert row['mean']['linear'] > 75


def test_wrong(tool: ModuleType, tmp_path: Path) -> None:
    """A config without data or backbone, a fold that leaves nothing, a file that is not there."""
    with pytest.raises(ConfigError, match='no train_dataloader'):
        tool.main(arguments(tmp_path, config(tmp_path / 'a.py', train=None)))
    path = config(tmp_path / 'b.py')
    with pytest.raises(ConfigError, match='--folds 1'):
        tool.main(arguments(tmp_path, path, folds=1))
    with pytest.raises(MissingFileError, match=r'none\.pth'):
        tool.main(arguments(tmp_path, path, checkpoint=str(tmp_path / 'none.pth')))
    (tmp_path / 'c.py').write_text("model = dict(type='X')\n")
    with pytest.raises(ConfigError, match=r'no model\.backbone'):
        tool.main(arguments(tmp_path, path, str(tmp_path / 'c.py')))
