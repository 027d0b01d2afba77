"""ShapeNet55 in its published layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from point_peft.datasets import ShapeNet55
from point_peft.io.errors import DatasetError, DatasetNotFoundError


@pytest.fixture
def root(tmp_path: Path, clouds) -> Path:
    """Three synsets with 10 train objects each and one test object each, 64 points."""
    (tmp_path / 'ShapeNet-55').mkdir()
    (tmp_path / 'shapenet_pc').mkdir()
    lists: dict[str, list[str]] = {'train': [], 'test': []}
    for synset in ('04379243', '02691156', '03001627'):
        for number in range(11):
            name = f'{synset}-{number:04x}.npy'
            np.save(tmp_path / 'shapenet_pc' / name, clouds(1, 64)[0] * (number + 1) + 5)
            lists['train' if number < 10 else 'test'].append(name)
    for subset, names in lists.items():
        (tmp_path / 'ShapeNet-55' / f'{subset}.txt').write_text('\n'.join(names) + '\n')
    return tmp_path


def test_layout(root: Path) -> None:
    """Classes are the synsets in order; clouds are centred and scaled."""
    dataset = ShapeNet55(root, split='trainval', max_points=32)
    assert len(dataset) == 30 and dataset.classes == ('02691156', '03001627', '04379243')
    item = dataset[0]
    assert item['data_samples'].gt_label == 2
    assert item['data_samples'].source == str(root / 'shapenet_pc' / '04379243-0000.npy')
    points = item['inputs']['points']
    assert points.shape == (32, 3)
    assert points.mean(dim=0).abs().max() < 1e-6 and abs(points.norm(dim=1).max() - 1) < 1e-6


def test_splits(root: Path) -> None:
    """One of ten objects of each synset is held out."""
    assert ShapeNet55(root, split='val').class_counts() == {'02691156': 1, '03001627': 1, '04379243': 1}
    assert len(ShapeNet55(root, split='train')) == 27 and len(ShapeNet55(root, split='test')) == 3


def test_files_are_read_when_asked_for(root: Path) -> None:
    """A damaged file is named when its object is asked for, also by a loader's worker."""
    dataset = ShapeNet55(root, split='test')
    (root / 'shapenet_pc' / '02691156-000a.npy').write_bytes(b'damaged')
    assert dataset[0]['inputs']['points'].shape == (64, 3)
    with pytest.raises(DatasetError, match="02691156-000a.npy' is not a plain npy array"):
        dataset[1]
    loader = DataLoader(dataset, batch_size=3, collate_fn=pseudo_collate, num_workers=1)
    with pytest.raises(DatasetError, match='02691156-000a.npy'):
        next(iter(loader))


def test_nan_is_named(root: Path) -> None:
    """A NaN in a lazily read file names it."""
    np.save(root / 'shapenet_pc' / '04379243-000a.npy', np.full((64, 3), np.nan))
    with pytest.raises(DatasetError, match="04379243-000a.npy' has a NaN"):
        ShapeNet55(root, split='test')[0]


def test_missing(root: Path, tmp_path: Path) -> None:
    """Lists, clouds, and a single cloud that is missing."""
    with pytest.raises(DatasetNotFoundError, match='nowhere.*https://'):
        ShapeNet55(tmp_path / 'nowhere')
    (root / 'shapenet_pc' / '04379243-000a.npy').unlink()
    with pytest.raises(FileNotFoundError, match='04379243-000a.npy'):
        ShapeNet55(root, split='test')[0]


def test_lists_of_another_form(root: Path) -> None:
    """Names that are not SYNSET-ID.npy give far too many synsets, which is said."""
    (root / 'ShapeNet-55' / 'train.txt').write_text('\n'.join(f'object{i}.npy' for i in range(60)))
    with pytest.raises(DatasetError, match='63 synsets; expected at most 55'):
        ShapeNet55(root)
