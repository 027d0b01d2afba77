"""The one preparation of a cloud, and where a config says what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.utils.data import Dataset

from point_peft.datasets import PointCloudFolder
from point_peft.datasets.draw import PointDraw
from point_peft.datasets.preparation import Preparation, preparation_of
from point_peft.io.errors import DatasetError
from point_peft.registry import DATASETS

POINTS = np.random.default_rng(0).standard_normal((100, 3))


def test_order() -> None:
    """Resampled, cropped, normalised: the points that are left are centred and touch the unit sphere."""
    result = Preparation('unit_sphere', num_points=60, max_points=20)(POINTS + 7, 'a', seed=3)
    assert result.shape == (20, 3) and result.dtype == np.float32
    np.testing.assert_allclose(result.mean(axis=0), 0, atol=1e-6)
    assert np.linalg.norm(result, axis=1).max() == pytest.approx(1)
    again = Preparation('unit_sphere', num_points=60, max_points=20)(POINTS, 'b', seed=3)
    np.testing.assert_allclose(again, result, atol=1e-6)


def test_kept_coordinates_are_those_of_the_file() -> None:
    """Without normalisation float32 coordinates come through bit for bit."""
    points = POINTS.astype(np.float32)
    np.testing.assert_array_equal(Preparation()(points, 'a'), points)


@pytest.mark.parametrize('dtype', [np.float32, np.float64, np.int32, np.uint8])
def test_types_of_files(dtype: type) -> None:
    """Whole numbers are coordinates as well."""
    points = (np.abs(POINTS) * 50).astype(dtype)
    result = Preparation('unit_sphere')(points, 'a')
    expected = Preparation('unit_sphere')(points.astype(np.float64), 'a')
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    ('points', 'message'),
    [
        (POINTS[:0], 'is an empty cloud'),
        (POINTS[:1], 'has no extent: all of its 1 points'),
        (np.full((9, 3), 412345.1), 'has no extent: all of its 9 points'),
        (np.full((9, 3), 1e-30), 'has no extent'),
        (POINTS * 1e-30, 'has no extent: the 100 points that are used'),
        (np.where(POINTS > 2, np.nan, POINTS), 'has a NaN or infinite coordinate: point'),
        (POINTS * 1e19, 'has a coordinate whose square overflows'),
        (POINTS * 1e300, 'has a coordinate whose square overflows'),
        (POINTS + [0, 5e6, 0], r"where float32 has steps of 0.5, .* set normalize='unit_sphere'"),
        (POINTS.T, 'expected .number of points, 3.'),
        (POINTS.astype(str), 'holds values of type'),
        (POINTS.astype(complex), 'holds values of type'),
    ],
)
def test_refused_by_name(points: np.ndarray, message: str) -> None:
    """What cannot be used, in one sentence that begins with the name of the cloud."""
    with pytest.raises(DatasetError, match=rf'^file\[3\] .*{message}'):
        Preparation()(points, 'file[3]')


@pytest.mark.parametrize('scale', [1e-15, 1e-3, 1.0, 1e4, 1e15])
def test_any_unit(scale: float) -> None:
    """Millimetres or light years: normalised, they are the same."""
    result = Preparation('unit_sphere')(POINTS * scale, 'a')
    np.testing.assert_allclose(result, Preparation('unit_sphere')(POINTS, 'a'), atol=1e-6)


@pytest.mark.parametrize(
    ('config', 'expected'),
    [
        (dict(type='PointCloudFolder'), Preparation('unit_sphere', 2048)),
        (
            dict(type='PointCloudFolder', num_points=64, normalize=None, max_points=9),
            Preparation(None, 64, 9),
        ),
        (dict(type='ModelNet', max_points=8192), Preparation('unit_sphere', None, 8192)),
        (dict(type='ModelNet', normalize=None), Preparation()),
        (dict(type='ScanObjectNN', variant='obj_bg'), Preparation()),
        (dict(type='ShapeNet55'), Preparation('unit_sphere')),
        (dict(type='ShapeNetPart'), Preparation('unit_sphere', draw=PointDraw(2048, False))),
        (dict(type='FewShotModelNet40'), Preparation('unit_sphere')),
        (dict(type='ProceduralShapes'), Preparation('unit_sphere', 1024)),
        (
            dict(type='ProceduralParts', num_points=99),
            Preparation('unit_sphere', 99, draw=PointDraw(99, False)),
        ),
        (dict(type='FewShot', dataset=dict(type='ScanObjectNN')), Preparation()),
        (
            dict(type='RepeatDataset', times=2, dataset=dict(type='ShapeNet55', normalize=None)),
            Preparation(),
        ),
        (dict(type='ConcatDataset', datasets=[dict(type='ShapeNet55')]), Preparation('unit_sphere')),
    ],
)
def test_of_a_config(tmp_path: Path, config: dict[str, Any], expected: Preparation) -> None:
    """Every kind of dataset says how it prepares a cloud, although its files are not there."""
    inner = config.get('dataset', config)
    inner = config['datasets'][0] if 'datasets' in config else inner
    inner['data_root'] = tmp_path / 'nowhere'
    assert preparation_of(config) == expected


def test_modelnet_goes_by_its_files(modelnet_h5_root: Path, modelnet_txt_root: Path) -> None:
    """The h5 files are in the unit sphere, so they stay as they are; a dataset agrees with what its config says."""
    for root, normalize in ((modelnet_h5_root, None), (modelnet_txt_root, 'unit_sphere')):
        config = dict(type='ModelNet', data_root=root, num_classes=10)
        assert preparation_of(config) == Preparation(normalize)
        assert DATASETS.build(config).preparation == Preparation(normalize)


def test_unknown_dataset() -> None:
    """A dataset of someone else's does not say."""

    class Other(Dataset):
        """No dataset of clouds."""

    with pytest.raises(DatasetError, match='Other.* does not say how it prepares a single cloud'):
        preparation_of(dict(type=Other))


def test_a_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log) -> None:
    """A file gives the cloud that it is in its dataset, however its path is written."""
    folder = tmp_path / 'data' / 'train' / 'chair'
    folder.mkdir(parents=True)
    np.save(folder / '0.npy', POINTS)
    text = 'OFF\n4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 1 3\n3 0 2 3\n3 1 2 3\n'
    (folder / 'm.off').write_text(text)
    dataset = PointCloudFolder(tmp_path / 'data', split='trainval', num_points=30)
    monkeypatch.chdir(folder)
    for index, name in enumerate(('0.npy', 'm.off')):
        for path in (Path(name), folder / name, Path('../chair') / name, Path('../../train/chair') / name):
            np.testing.assert_array_equal(
                dataset.preparation.read(path), dataset[index]['inputs']['points'].numpy()
            )
    assert not log.at('WARNING')
    Preparation(num_points=200).read(folder / '0.npy')
    Preparation(max_points=20).read(folder / '0.npy')
    few, cropped = log.at('WARNING')
    assert "0.npy' has 100 points, fewer than the 200 of the dataset; some are repeated" in few
    assert "0.npy' has 100 points, of which the first 20 are used (max_points)" in cropped


def test_float64_beats_float32() -> None:
    """How far results of files in float32 moved when normalising went to float64: the last digit."""
    points = POINTS.astype(np.float32)
    centered = points - points.mean(axis=0, dtype=np.float64).astype(np.float32)
    before = centered / np.linalg.norm(centered, axis=1).max()
    assert np.abs(Preparation('unit_sphere')(points, 'a') - before).max() < 2.5e-7
