"""Clouds with the offset of a map, in every dataset that reads files: normalised, they are those without it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from point_peft.datasets import ModelNet, PointCloudDataset, ScanObjectNN, ShapeNet55, ShapeNetPart
from point_peft.datasets.preparation import preparation_of
from point_peft.io.errors import DatasetError

OFFSET = np.array([412345.25, 5654321.5, 312])
CLOUDS = np.random.default_rng(0).random((6, 40, 3)).round(4) * 3


def scanobjectnn(root: Path, clouds: np.ndarray, normalize: str | None) -> PointCloudDataset:
    """One h5 file per subset."""
    (root / 'main_split').mkdir(parents=True)
    with h5py.File(root / 'main_split' / 'test_objectdataset.h5', 'w') as file:
        file['data'], file['label'] = clouds, np.arange(6)
    return ScanObjectNN(root, variant='obj_bg', split='test', normalize=normalize)


def modelnet(root: Path, clouds: np.ndarray, normalize: str | None) -> PointCloudDataset:
    """Text files, read through a cache: twice."""
    classes = [f'c{number}' for number in range(10)]
    for number, cloud in enumerate(clouds):
        (root / classes[number]).mkdir(parents=True)
        np.savetxt(root / classes[number] / f'c{number}_0001.txt', cloud, fmt='%.4f', delimiter=',')
    (root / 'modelnet10_shape_names.txt').write_text('\n'.join(classes))
    (root / 'modelnet10_test.txt').write_text('\n'.join(f'c{number}_0001' for number in range(6)))
    ModelNet(root, num_classes=10, split='test', normalize='unit_sphere')
    return ModelNet(root, num_classes=10, split='test', normalize=normalize)


def shapenet(root: Path, clouds: np.ndarray, normalize: str | None) -> PointCloudDataset:
    """Arrays that are read when they are asked for."""
    for folder in ('ShapeNet-55', 'shapenet_pc'):
        (root / folder).mkdir(parents=True)
    names = [f'0{number}-a.npy' for number in range(6)]
    for name, cloud in zip(names, clouds):
        np.save(root / 'shapenet_pc' / name, cloud)
    for subset in ('train', 'test'):
        (root / 'ShapeNet-55' / f'{subset}.txt').write_text('\n'.join(names))
    return ShapeNet55(root, split='test', normalize=normalize)


def part_texts(root: Path, clouds: np.ndarray, normalize: str | None) -> PointCloudDataset:
    """Rows with normals and parts."""
    (root / '02691156').mkdir(parents=True)
    (root / 'train_test_split').mkdir()
    for number, cloud in enumerate(clouds):
        rows = np.hstack([cloud, np.zeros((40, 3)), np.arange(40)[:, None] % 4])
        np.savetxt(root / '02691156' / f'{number}.txt', rows, fmt='%.4f')
    listed = json.dumps([f'shape_data/02691156/{number}' for number in range(6)])
    (root / 'train_test_split' / 'shuffled_test_file_list.json').write_text(listed)
    return ShapeNetPart(root, split='test', num_points=None, normalize=normalize)


def part_arrays(root: Path, clouds: np.ndarray, normalize: str | None) -> PointCloudDataset:
    """One file of all objects."""
    root.mkdir()
    parts, offsets = np.zeros(240, dtype=np.int64), np.arange(0, 241, 40)
    np.savez(root / 'airplane_test.npz', pos=clouds.reshape(-1, 3), part=parts, offsets=offsets)
    return ShapeNetPart(root, split='test', num_points=None, normalize=normalize)


@pytest.mark.parametrize('build', [scanobjectnn, modelnet, shapenet, part_texts, part_arrays])
def test_the_shape_is_kept(tmp_path: Path, build: Callable[..., PointCloudDataset]) -> None:
    """To a millionth of the radius; kept as they are, the coordinates are refused, and so is what lies far."""
    near = build(tmp_path / 'near', CLOUDS, 'unit_sphere')
    far = build(tmp_path / 'far', CLOUDS + OFFSET, 'unit_sphere')
    for index in range(6):
        points = near[index]['inputs']['points'].numpy()
        assert np.linalg.norm(points, axis=1).max() == pytest.approx(1)
        np.testing.assert_allclose(far[index]['inputs']['points'].numpy(), points, atol=1e-6)
    np.testing.assert_array_equal(
        build(tmp_path / 'kept', CLOUDS, None)[3]['inputs']['points'].numpy(), CLOUDS[3].astype(np.float32)
    )
    with pytest.raises(DatasetError, match=r"where float32 has steps of 0.5, .* set normalize='unit_sphere'"):
        build(tmp_path / 'lost', CLOUDS + OFFSET, None)[0]


def test_rounded_before(tmp_path: Path, log) -> None:
    """A file in float32 has lost its shape itself, which is said once; whole numbers and near clouds have not."""
    for name, clouds in (
        ('rounded', (CLOUDS + OFFSET).astype(np.float32)),
        ('near', CLOUDS.astype(np.float32)),
        ('double', CLOUDS + OFFSET),
        ('whole', (CLOUDS * 100).round() + OFFSET.round()),
    ):
        scanobjectnn(tmp_path / name, clouds, 'unit_sphere')
        warned = [
            text for text in log.at('WARNING') if 'were rounded when they were written in float32' in text
        ]
        assert len(warned) == 1 and str(tmp_path / 'rounded' / 'main_split') in warned[0], name


@pytest.mark.parametrize('num_points', [None, 16, 60])
def test_a_file_of_parts_alone(tmp_path: Path, num_points: int | None) -> None:
    """The points of an object are drawn as in its dataset, so a tool that is given the file gets the same."""
    part_texts(tmp_path / 'parts', CLOUDS, 'unit_sphere')
    dataset = ShapeNetPart(tmp_path / 'parts', split='test', num_points=num_points)
    alone = preparation_of(
        dict(type='ShapeNetPart', data_root='nowhere', split='test', num_points=num_points)
    )
    for item in dataset:
        points = alone.read(Path(item['data_samples'].source))
        np.testing.assert_array_equal(points, item['inputs']['points'].numpy())
