"""Folders of files as training sets, and how they grow."""

from __future__ import annotations

from pathlib import Path

import pytest

from point_peft.datasets import PointCloudFolder, folder
from point_peft.experiments import folders
from point_peft.experiments.contestant import Conditions
from point_peft.experiments.folders import FolderGrowth, measure_folders, write_clouds
from point_peft.io.errors import ConfigError, PointPEFTError

CONFIG = 'linear_probe/pointmae_mini_folder'


def test_growth() -> None:
    """Prepared clouds are kept from some number of files on; all costs are there, in a table and a picture."""
    found = measure_folders([CONFIG], Conditions(num_points=64), {}, [800, 24])
    assert isinstance(found, FolderGrowth) and found.values == [24, 800]
    few, many = found.costs[CONFIG]
    assert few['kept_mb'] == 0 and 7 < many['kept_mb'] < 30  # of 1024 or 2048 points, whatever the files have
    assert all(row[key] > 0 for row in (few, many) for key in ('first_s', 'again_s', 'cloud_ms'))
    assert '| files | seconds to open it the first time | again |' in found.table()
    assert len(found.picture().axes) == 2


def test_folders_are_what_a_training_reads(tmp_path: Path) -> None:
    """Four classes of almost one size."""
    write_clouds(tmp_path, 41, 64)
    both = [PointCloudFolder(tmp_path, num_points=64, split=split) for split in ('trainval', 'test')]
    assert sum(map(len, both)) == 41 and len(both[0].classes) == 4
    assert folder.IN_MEMORY > 41 * 64 * 12


def test_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What trains on no folder, folders without enough files for a class, and what their processes say."""
    with pytest.raises(ConfigError, match='pointmae_mini_shapes trains on no folder of files; give one as'):
        measure_folders(['lora/pointmae_mini_shapes'], Conditions(), {}, [100, 1000])
    with pytest.raises(ConfigError, match='files 19: a folder needs 20 files or more'):
        measure_folders([CONFIG], Conditions(), {}, [19, 100])
    monkeypatch.setattr(folders, 'PROGRAM', 'raise SystemExit("no disk has room")')
    with pytest.raises(PointPEFTError, match='could not be opened: no disk has room'):
        measure_folders([CONFIG], Conditions(num_points=64), {}, [20, 24])
