"""ShapeNetPart in its three layouts, and the interface of part segmentation that the built-in shapes share."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from point_peft.datasets import ShapeNetPart
from point_peft.datasets.part_dataset import PointDraw
from point_peft.io.errors import DatasetError, DatasetNotFoundError
from point_peft.models import PointDataPreprocessor
from point_peft.procedural import ProceduralParts, ProceduralShapes
from point_peft.registry import DATASETS

REAL = Path(__file__).resolve().parents[2].parent / 'shared' / 'data'
SIZE = 30
OBJECTS = {
    'train': ['02691156/a1', '02691156/a2', '03797390/m1'],
    'val': ['02691156/a3'],
    'test': ['04379243/t1', '02773838/b1'],
}
RANGES = {'02691156': (0, 4), '03797390': (36, 38), '04379243': (47, 50), '02773838': (4, 6)}


def make_object(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Points (SIZE, 3), whose first coordinate grows by 1, and global parts (SIZE,), which take turns."""
    first, end = RANGES[name.split('/')[0]]
    points = np.random.default_rng(list(name.encode())).uniform(-1, 1, (SIZE, 3))
    points[:, 0] = np.arange(SIZE)
    return points, first + np.arange(SIZE) % (end - first)


def write_lists(root: Path, objects: dict[str, list[str]] = OBJECTS) -> None:
    """The split lists."""
    (root / 'train_test_split').mkdir(parents=True, exist_ok=True)
    for subset, names in objects.items():
        path = root / 'train_test_split' / f'shuffled_{subset}_file_list.json'
        path.write_text(json.dumps([f'shape_data/{name}' for name in names]))


def write_normal(root: Path) -> Path:
    """Layout with normals and global ids."""
    write_lists(root)
    for name in sum(OBJECTS.values(), []):
        points, parts = make_object(name)
        (root / name).parent.mkdir(exist_ok=True)
        np.savetxt(root / f'{name}.txt', np.c_[points, np.ones((SIZE, 3)) / 2, parts], fmt='%.6f')
    return root


def write_pts(root: Path) -> Path:
    """Layout with labels in files of their own that count from 1 in every category."""
    write_lists(root)
    for name in sum(OBJECTS.values(), []):
        synset, key = name.split('/')
        points, parts = make_object(name)
        for folder, suffix, content, fmt in (
            ('points', 'pts', points, '%.6f'),
            ('points_label', 'seg', parts - RANGES[synset][0] + 1, '%d'),
        ):
            (root / synset / folder).mkdir(parents=True, exist_ok=True)
            np.savetxt(root / synset / folder / f'{key}.{suffix}', content, fmt=fmt)
    return root


def write_npz(root: Path) -> Path:
    """Layout with one file per category and split: 2 airplanes to train on, 1 to validate, and mugs alike."""
    root.mkdir(parents=True, exist_ok=True)
    for subset, count in (('train', 2), ('val', 1), ('test', 1)):
        for category, synset in (('airplane', '02691156'), ('mug', '03797390')):
            pairs = [make_object(f'{synset}/{subset}{number}') for number in range(count)]
            np.savez(
                root / f'{category}_{subset}.npz',
                pos=np.concatenate([points for points, _ in pairs]),
                normal=np.ones((count * SIZE, 3)),
                part=np.concatenate([parts for _, parts in pairs]),
                offsets=np.arange(count + 1) * SIZE,
            )
    return root


def normalised(points: np.ndarray) -> np.ndarray:
    """Centroid at the origin, farthest point at distance 1."""
    points = points - points.mean(axis=0)
    return points / np.linalg.norm(points, axis=1).max()


@pytest.mark.parametrize('write', [write_normal, write_pts])
def test_published_layouts(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    """Both give the same objects: whole, normalised, with global part ids; the lists decide the splits."""
    root = write(tmp_path / 'part')
    sizes = {split: len(ShapeNetPart(root, split=split)) for split in ('train', 'val', 'trainval', 'test')}
    assert sizes == dict(train=3, val=1, trainval=4, test=2)
    dataset = DATASETS.build(dict(type='ShapeNetPart', data_root=str(root), split='test', num_points=None))
    for index, (name, category) in enumerate(zip(OBJECTS['test'], (15, 1))):
        item, (points, parts) = dataset[index], make_object(name)
        sample = item['data_samples']
        np.testing.assert_allclose(item['inputs']['points'].numpy(), normalised(points), atol=1e-5)
        assert sample.gt_part.dtype == torch.int64 and sample.gt_part.tolist() == parts.tolist()
        assert item['inputs']['category'] == sample.category == sample.gt_label == category
        assert sample.category.shape == () and sample.category.dtype == torch.int64
        assert name.split('/')[1] in sample.source and sample.sample_idx == index


def test_metainfo(tmp_path: Path) -> None:
    """16 categories in the published order, whose parts are 0 to 49 in turn."""
    meta = ShapeNetPart(write_normal(tmp_path / 'part')).metainfo
    assert meta['dataset'] == 'ShapeNetPart' and len(meta['classes']) == 16 and len(meta['parts']) == 50
    assert (
        sum(meta['class_parts'].values(), ()) == tuple(range(50))
        and tuple(meta['class_parts']) == meta['classes']
    )
    assert meta['class_parts']['Motorbike'] == (30, 31, 32, 33, 34, 35)
    assert meta['class_parts']['Table'] == (47, 48, 49) and meta['parts'][49] == 'Table/3'


def test_npz_layout(tmp_path: Path) -> None:
    """All categories of a split, from its files."""
    root = write_npz(tmp_path / 'npz')
    dataset = ShapeNetPart(root, split='trainval', num_points=None)
    assert dataset.labels.tolist() == [0, 0, 11, 11, 0, 11]
    item, (points, parts) = dataset[3], make_object('03797390/train1')
    np.testing.assert_allclose(item['inputs']['points'].numpy(), normalised(points), atol=1e-5)
    assert item['data_samples'].gt_part.tolist() == parts.tolist()
    assert item['data_samples'].source == f'{root}/mug_train.npz[1]'


@pytest.mark.parametrize('write', [write_normal, write_pts])
def test_cache(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    """The second reading gives the same; a changed object is read again."""
    root = write(tmp_path / 'part')
    first = ShapeNetPart(root, split='test', num_points=None)[0]
    assert len(list((root / '.cache').glob('*.npz'))) == 1
    second = ShapeNetPart(root, split='test', num_points=None)[0]
    assert torch.equal(first['inputs']['points'], second['inputs']['points'])
    assert torch.equal(first['data_samples'].gt_part, second['data_samples'].gt_part)
    if write is write_pts:
        (root / '04379243' / 'points_label' / 't1.seg').write_text('2\n' * SIZE)
    else:
        (root / '04379243' / 't1.txt').write_text('0 0 0 0 0 1 48\n1 0 0 0 0 1 48\n')
    assert set(ShapeNetPart(root, split='test')[0]['data_samples'].gt_part.tolist()) == {48}


@pytest.mark.parametrize('num_points', [10, SIZE, 50])
def test_points_keep_their_labels(tmp_path: Path, num_points: int) -> None:
    """Whatever is drawn, each point comes with its own label; all points come before any is repeated."""
    root = write_normal(tmp_path / 'part')
    dataset = ShapeNetPart(root, num_points=num_points, normalize=None)
    item = dataset[0]
    order = item['inputs']['points'][:, 0].long()  # the first coordinate is the position in the file
    assert len(order) == num_points and len(order.unique()) == min(num_points, SIZE)
    assert torch.equal(item['data_samples'].gt_part, torch.tensor(make_object('02691156/a1')[1])[order])


def test_draws(tmp_path: Path) -> None:
    """Training draws anew, by torch's seed; evaluation always the same, wherever the dataset lies."""
    root = write_normal(tmp_path / 'part')

    def draw(dataset: ShapeNetPart) -> list[float]:
        return dataset[0]['inputs']['points'][:, 0].tolist()

    train, val = ShapeNetPart(root, num_points=10), ShapeNetPart(root, split='val', num_points=10)
    torch.manual_seed(3)
    first, second = draw(train), draw(train)
    torch.manual_seed(3)
    assert first != second and draw(train) == first
    state = torch.get_rng_state()
    assert draw(val) == draw(val) and torch.equal(state, torch.get_rng_state())
    moved = write_normal(tmp_path / 'elsewhere' / 'copy')
    assert draw(ShapeNetPart(moved, split='val', num_points=10)) == draw(val)
    assert (
        len(set(map(tuple, (draw(ShapeNetPart(root, num_points=10, random_points=False)) for _ in range(3)))))
        == 1
    )
    moving = ShapeNetPart(root, split='val', num_points=10, random_points=True)
    assert draw(moving) != draw(moving)


def test_published_draw_repeats_points() -> None:
    """With replacement, some points come twice although others are left."""
    assert len(PointDraw(SIZE, random=False, with_replacement=True)(SIZE, 'a').unique()) < SIZE
    assert len(PointDraw(SIZE, random=False)(SIZE, 'a').unique()) == SIZE
    with pytest.raises(ValueError, match='num_points=0 must be at least 1'):
        PointDraw(0, random=True)


def _set_part(root: Path, value: str) -> None:
    path = root / '04379243' / 't1.txt'
    rows = [line.split() for line in path.read_text().splitlines()]
    rows[7][6] = value
    path.write_text('\n'.join(' '.join(row) for row in rows))


@pytest.mark.parametrize(('value', 'shown'), [('3', '3'), ('50', '50'), ('47.5', '47.5'), ('nan', 'nan')])
def test_part_outside_its_category(tmp_path: Path, value: str, shown: str) -> None:
    """File, value, point and what is allowed; nothing is cached."""
    root = write_normal(tmp_path / 'part')
    _set_part(root, value)
    with pytest.raises(
        DatasetError,
        match=rf"04379243/t1.txt' has part label {shown} at point 7, but the parts of Table are 47 to 49 there",
    ):
        ShapeNetPart(root, split='test')
    assert not (root / '.cache').exists()


def test_part_outside_in_the_other_layouts(tmp_path: Path) -> None:
    """The numbers are those of the file."""
    root = write_pts(tmp_path / 'part')
    path = root / '02773838' / 'points_label' / 'b1.seg'
    path.write_text(path.read_text().replace('2\n', '0\n', 1))
    with pytest.raises(
        DatasetError, match="b1.seg' has part label 0 at point 1, but the parts of Bag are 1 to 2 there"
    ):
        ShapeNetPart(root, split='test')
    path.write_text(path.read_text().replace('0\n', '1.7\n', 1))
    with pytest.raises(DatasetError, match="b1.seg' has part label 1.7 at point 1, but the parts of Bag are"):
        ShapeNetPart(root, split='test')
    root = write_npz(tmp_path / 'npz')
    for parts, message in (
        (np.array([36, 7]), 'has part label 7 at point 1, .* Mug are 36 to 37'),
        (np.array([36, np.nan]), 'has part label nan at point 1'),
        (np.array(['36', 'x']), "has 'part' of type <U2"),
    ):
        np.savez(root / 'mug_test.npz', pos=np.ones((2, 3)), part=parts, offsets=[0, 2])
        with pytest.raises(DatasetError, match=rf"mug_test.npz(\[0\])?' {message}"):
            ShapeNetPart(root, split='test')


@pytest.mark.parametrize('write', [write_normal, write_pts])
def test_empty_object(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    """The file."""
    root = write(tmp_path / 'part')
    name = '02773838/b1.txt' if write is write_normal else '02773838/points/b1.pts'
    (root / name).write_text('\n')
    with pytest.raises(DatasetError, match=f"{name}' is an empty object"):
        ShapeNetPart(root, split='test')


def test_faulty_npz(tmp_path: Path) -> None:
    """An empty object, offsets that do not fit, missing labels, a missing array, no npz, an unknown category."""
    root = write_npz(tmp_path / 'npz')
    faults = {
        r"mug_test.npz\[1\]' is an empty object": dict(part=np.full(4, 36), offsets=[0, 2, 2, 4]),
        'offsets that do not run from 0 to its 4 points': dict(part=np.full(4, 36), offsets=[0, 2, 5]),
        r'labels of shape \(3,\); expected \(points, 3\) and one label': dict(
            part=np.full(3, 36), offsets=[0, 4]
        ),
        'does not hold the plain arrays pos, part, offsets': dict(part=np.full(4, 36)),
    }
    for message, arrays in faults.items():
        np.savez(root / 'mug_test.npz', pos=np.ones((4, 3)), **arrays)
        with pytest.raises(DatasetError, match=message):
            ShapeNetPart(root, split='test')
    (root / 'mug_test.npz').write_text('nothing')
    with pytest.raises(DatasetError, match="mug_test.npz' does not hold the plain arrays"):
        ShapeNetPart(root, split='test')
    (root / 'teapot_test.npz').write_text('nothing')
    with pytest.raises(DatasetError, match="has files of 'teapot', which is no category"):
        ShapeNetPart(root, split='train')


def test_missing_files(tmp_path: Path) -> None:
    """A root, a split list, an object and an npz file, each by its path and with where to get it or what to do."""
    with pytest.raises(DatasetNotFoundError, match='nowhere.*https://.*pointmae_mini_shapes'):
        ShapeNetPart(tmp_path / 'nowhere')
    root = write_normal(tmp_path / 'part')
    (root / '02691156' / 'a3.txt').unlink()
    with pytest.raises(DatasetNotFoundError, match="a3.txt' is listed in .* but does not exist"):
        ShapeNetPart(root, split='val')
    (root / 'train_test_split' / 'shuffled_test_file_list.json').unlink()
    with pytest.raises(DatasetNotFoundError, match='shuffled_test_file_list.json.*https://'):
        ShapeNetPart(root, split='test')
    root = write_npz(tmp_path / 'npz')
    (root / 'mug_test.npz').unlink()
    with pytest.raises(DatasetNotFoundError, match='mug_test.npz'):
        ShapeNetPart(root, split='test')


def test_unequal_points_and_labels(tmp_path: Path) -> None:
    """Both files and both numbers."""
    root = write_pts(tmp_path / 'part')
    path = root / '04379243' / 'points_label' / 't1.seg'
    path.write_text('1\n' * (SIZE - 1))
    with pytest.raises(DatasetError, match=r"t1.pts' has 30 points but '.*t1.seg' has 29 labels"):
        ShapeNetPart(root, split='test')
    path.write_text('')
    with pytest.raises(DatasetError, match=r"t1.pts' has 30 points but '.*t1.seg' has 0 labels"):
        ShapeNetPart(root, split='test')


def test_faulty_lists(tmp_path: Path) -> None:
    """An unknown synset, an empty list, something else than a list of paths, and no JSON at all."""
    root = write_normal(tmp_path / 'part')
    write_lists(root, {'test': ['02691156/a1', '12345678/x']})
    with pytest.raises(
        DatasetError, match="synset '12345678', which is none of the 16 categories .*02691156"
    ):
        ShapeNetPart(root, split='test')
    write_lists(root, {'test': []})
    with pytest.raises(DatasetError, match="holds no objects for split='test'"):
        ShapeNetPart(root, split='test')
    path = root / 'train_test_split' / 'shuffled_test_file_list.json'
    for content in ('["a1"]', '7', '["shape_data/0269'):
        path.write_text(content)
        with pytest.raises(DatasetError, match='shuffled_test_file_list.json.* is not a list of'):
            ShapeNetPart(root, split='test')


def test_malformed_object(tmp_path: Path) -> None:
    """A file without part labels, and a NaN coordinate."""
    root = write_normal(tmp_path / 'part')
    path = root / '02691156' / 'a3.txt'
    path.write_text('0 0 0 1 0 0\n1 0 0 1 0 0\n')
    with pytest.raises(
        DatasetError, match="a3.txt' is not a table of numbers .*; expected rows 'x y z nx ny nz part'"
    ):
        ShapeNetPart(root, split='val')
    path.write_text('0 0 0 1 0 0 1\n1 nan 0 1 0 0 1\n')
    with pytest.raises(DatasetError, match='a3.txt has a NaN or infinite coordinate: point 1'):
        ShapeNetPart(root, split='val')
    with pytest.raises(ValueError, match="split='all' is unknown"):
        ShapeNetPart(root, split='all')


def test_built_in_shapes() -> None:
    """The same interface on the same objects as for classification; training shuffles, evaluation does not change."""
    plain, parts = (
        ProceduralShapes(20, num_points=64, split='val'),
        ProceduralParts(20, num_points=64, split='val'),
    )
    item, other = parts[17], plain[17]
    order = (item['inputs']['points'][:, None] == other['inputs']['points']).all(dim=-1).long().argmax(dim=1)
    assert sorted(order.tolist()) == list(range(64))
    assert torch.equal(item['data_samples'].gt_part, other['data_samples'].gt_part[order])
    assert torch.equal(item['inputs']['points'], parts[17]['inputs']['points'])
    assert item['inputs']['category'] == item['data_samples'].category == 1
    assert len(parts.metainfo['parts']) == 53 and parts.metainfo['dataset'] == 'ProceduralParts'
    allowed = parts.metainfo['class_parts'][parts.classes[1]]
    assert set(item['data_samples'].gt_part.tolist()) <= set(allowed)
    train = ProceduralParts(20, num_points=64)
    assert not torch.equal(train[0]['inputs']['points'], train[0]['inputs']['points'])


@pytest.mark.parametrize('num_workers', [0, 1])
def test_batch(num_workers: int) -> None:
    """The category is stacked to (B,) int64; coordinates are augmented, and labels still belong to them."""
    dataset = ProceduralParts(8, num_points=64, random_points=False)
    loader = DataLoader(dataset, batch_size=4, collate_fn=pseudo_collate, num_workers=num_workers)
    preprocess = PointDataPreprocessor(augments=[dict(type='RandomScaleTranslate', translate=0.0)])
    batch = preprocess(next(iter(loader)), training=True)
    points, category = batch['inputs']['points'], batch['inputs']['category']
    assert category.dtype == torch.int64 and category.tolist() == [0, 1, 2, 3]
    whole = torch.stack([dataset[index]['inputs']['points'] for index in range(4)])
    ratio = points / whole  # one factor per object and axis, so no point has changed its place
    assert not torch.equal(points, whole)
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio), rtol=1e-3, atol=1e-3)


def test_preprocessor_refuses_to_part_points_and_labels() -> None:
    """Subsampling and shuffling, in training as in evaluation; without a category both are as before."""
    items = [ProceduralParts(4, num_points=64)[index] for index in range(2)]
    batch = pseudo_collate(items)
    for training in (False, True):
        with pytest.raises(
            ValueError, match='would take 32 of 64 points, but their part labels would not follow'
        ):
            PointDataPreprocessor(num_points=32)(batch, training)
        with pytest.raises(
            ValueError, match='ShufflePoints would reorder points whose part labels would not follow'
        ):
            PointDataPreprocessor(augments=[dict(type='ShufflePoints')])(batch, training)
    assert PointDataPreprocessor(num_points=64)(batch, True)['inputs']['points'].shape == (2, 64, 3)
    del batch['inputs']['category']
    shuffled = PointDataPreprocessor(num_points=32, augments=[dict(type='ShufflePoints')])(batch, True)
    assert shuffled['inputs']['points'].shape == (2, 32, 3)


@pytest.fixture
def real(tmp_path: Path) -> Callable[[str], Path]:
    """Function that copies a directory of real data, so that nothing, not even a cache, is written beside it."""

    def copy(name: str) -> Path:
        if not (REAL / name).exists():
            pytest.skip(f'the real {name} is not here')
        shutil.copytree(REAL / name, tmp_path / name, copy_function=shutil.copyfile)
        (tmp_path / name).chmod(0o700)
        return tmp_path / name

    return copy


def test_real_objects(real: Callable[[str], Path]) -> None:
    """One object of each of the 16 categories."""
    dataset = ShapeNetPart(real('shapenetpart'), split='train')
    assert sorted(dataset.labels.tolist()) == list(range(16))
    meta = dataset.metainfo
    for item in dataset:
        allowed = meta['class_parts'][meta['classes'][int(item['inputs']['category'])]]
        found = set(item['data_samples'].gt_part.tolist())
        assert len(found) >= 2 and found <= set(allowed)
        assert item['inputs']['points'].shape == (2048, 3)
        # The farthest point may not have been drawn.
        assert 0.9 < item['inputs']['points'].norm(dim=1).max() < 1 + 1e-5
    whole = ShapeNetPart(dataset.data_root, num_points=None)
    assert all(2200 <= len(whole[index]['inputs']['points']) <= 2850 for index in range(16))


def test_real_caps(real: Callable[[str], Path]) -> None:
    """Eleven test and five validation objects of the category Cap."""
    root = real('shapenetpart_cap')
    sets = {split: ShapeNetPart(root, split=split) for split in ('val', 'test')}
    assert {split: len(dataset) for split, dataset in sets.items()} == dict(val=5, test=11)
    for dataset in sets.values():
        assert set(dataset.labels.tolist()) == {2}
        assert {part for item in dataset for part in item['data_samples'].gt_part.tolist()} == {6, 7}
