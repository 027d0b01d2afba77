"""Writers of small datasets in the published layouts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from point_peft.datasets.scanobjectnn import FILES


@pytest.fixture
def write_h5() -> Callable[..., Path]:
    """Function that writes ``data`` (M, N, 3) and ``label`` to an h5 file, making its directory."""

    def write(path: Path, data: np.ndarray, label: np.ndarray, *, data_key: str = 'data') -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, 'w') as file:
            file[data_key] = data
            file['label'] = label
        return path

    return write


@pytest.fixture
def clouds() -> Callable[[int, int], np.ndarray]:
    """Function that draws (M, N, 3) coordinates in [-1, 1], the same for the same sizes."""

    def draw(objects: int, points: int) -> np.ndarray:
        return (
            np.random.default_rng(objects * 1000 + points)
            .uniform(-1, 1, (objects, points, 3))
            .astype(np.float32)
        )

    return draw


@pytest.fixture
def modelnet_h5_root(tmp_path: Path, write_h5, clouds) -> Path:
    """``modelnet40_ply_hdf5_2048`` layout, ten classes: two train files of 30 objects, one test of 10."""
    root = tmp_path / 'ModelNet10'
    labels = np.arange(30).reshape(-1, 1) % 10
    write_h5(root / 'ply_data_train0.h5', clouds(30, 16), labels.astype(np.uint8))
    write_h5(root / 'ply_data_train1.h5', clouds(30, 16) + 1, labels.astype(np.uint8))
    write_h5(root / 'ply_data_test0.h5', clouds(10, 16), labels[:10].astype(np.uint8))
    prefix = 'data/modelnet40_ply_hdf5_2048/'  # the published lists carry the path of their authors
    (root / 'train_files.txt').write_text(f'{prefix}ply_data_train0.h5\n{prefix}ply_data_train1.h5\n')
    (root / 'test_files.txt').write_text(f'{prefix}ply_data_test0.h5\n')
    (root / 'shape_names.txt').write_text('\n'.join(f'class_{i}' for i in range(10)) + '\n')
    return root


@pytest.fixture
def modelnet_txt_root(tmp_path: Path) -> Path:
    """``modelnet40_normal_resampled`` layout: 2 train and 1 test objects of ten classes, 20 points each."""
    root = tmp_path / 'modelnet40_normal_resampled'
    classes = ['bathtub', 'night_stand', *(f'class_{i}' for i in range(8))]
    rng = np.random.default_rng(0)
    lists: dict[str, list[str]] = {'train': [], 'test': []}
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in (1, 2, 3):
            np.savetxt(
                root / name / f'{name}_{number:04d}.txt',
                rng.uniform(-1, 1, (20, 6)),
                fmt='%.6f',
                delimiter=',',
            )
            lists['train' if number < 3 else 'test'].append(f'{name}_{number:04d}')
    for subset, names in lists.items():
        (root / f'modelnet10_{subset}.txt').write_text('\n'.join(names) + '\n')
    (root / 'modelnet10_shape_names.txt').write_text('\n'.join(classes) + '\n')
    return root


@pytest.fixture
def scanobjectnn_root(tmp_path: Path, write_h5, clouds) -> Path:
    """All published ScanObjectNN files, with a different number of objects in each variant."""
    root = tmp_path / 'ScanObjectNN'
    for count, (directory, suffix) in zip((60, 45, 30), FILES.values()):
        for subset, size in (('training', count), ('test', 15)):
            labels = np.arange(size) % 15
            write_h5(root / directory / f'{subset}{suffix}', clouds(size, 32), labels.astype(np.int32))
    return root
