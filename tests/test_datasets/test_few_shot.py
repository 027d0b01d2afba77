"""Few-shot: the published pickles, and the protocol on any dataset."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from point_peft.datasets import FewShot, FewShotModelNet40
from point_peft.io.errors import DatasetError, DatasetNotFoundError
from point_peft.registry import DATASETS

REAL = Path(__file__).resolve().parents[2].parent / 'shared' / 'data' / 'ModelNet10'
ORIGINALS = [7, 3, 39, 0, 12]
QUERIES = 4


def published(shots: int = 10, channels: int = 6) -> dict[str, list[tuple[np.ndarray, Any, Any]]]:
    """Content of a fold: 5 classes, points (N, 6), the labels as Python's or numpy's numbers."""
    rng = np.random.default_rng(0)

    def objects(count: int) -> list[tuple[np.ndarray, Any, Any]]:
        return [
            (rng.uniform(-1, 1, (20, channels)).astype(np.float32), np.int64(label), int(ORIGINALS[label]))
            for label in range(5)
            for _ in range(count)
        ]

    return dict(train=objects(shots), test=objects(QUERIES))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Function that pickles a fold into the published layout and returns the root."""

    def write_fold(content: Any, *, name: str = '5way_10shot/0.pkl', protocol: int = 4) -> Path:
        path = tmp_path / 'ModelNetFewshot' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol=protocol))
        return tmp_path / 'ModelNetFewshot'

    return write_fold


@pytest.mark.parametrize('protocol', [0, 2, 3, 4, 5])
@pytest.mark.parametrize('channels', [3, 6])
def test_published_layout(write: Callable[..., Path], protocol: int, channels: int) -> None:
    """Every pickle protocol; support and queries, coordinates normalised, normals dropped."""
    content = published(channels=channels)
    root = write(content, protocol=protocol)
    settings = dict(type='FewShotModelNet40', data_root=str(root))
    support, queries = (DATASETS.build({**settings, 'split': split}) for split in ('train', 'test'))
    assert len(support) == 50 and len(queries) == 5 * QUERIES
    assert set(support.class_counts().values()) == {10} and set(queries.class_counts().values()) == {QUERIES}
    points = content['test'][9][0][:, :3].astype(np.float64)
    points -= points.mean(axis=0)
    points /= np.linalg.norm(points, axis=1).max()
    item = queries[9]
    np.testing.assert_allclose(item['inputs']['points'].numpy(), points, atol=1e-5)
    assert item['data_samples'].gt_label == 2 and item['data_samples'].source.endswith('0.pkl[test][9]')
    assert queries.metainfo == dict(
        classes=tuple(f'ModelNet40/{label}' for label in ORIGINALS),
        dataset='FewShotModelNet40',
        few_shot=dict(num_ways=5, num_shots=10, fold=0),
    )
    assert len(FewShotModelNet40(root, split='trainval')) == 50  # nothing is held out
    assert FewShotModelNet40(root, max_points=8)[0]['inputs']['points'].shape == (8, 3)


def test_both_names_of_the_directory(write: Callable[..., Path]) -> None:
    """As the published code and as its documentation write it."""
    root = write(published(shots=20), name='5way20shot/9.pkl')
    assert len(FewShotModelNet40(root, num_shots=20, fold=9)) == 100
    with pytest.raises(DatasetNotFoundError, match='5way20shot/8.pkl.*Point-BERT'):
        FewShotModelNet40(root, num_shots=20, fold=8)
    with pytest.raises(DatasetNotFoundError, match='10way_10shot/0.pkl'):
        FewShotModelNet40(root, num_ways=10)


class Armed:
    """Makes a directory when it is unpickled."""

    def __init__(self, call: Callable, *arguments: Any) -> None:
        self.call = call
        self.arguments = arguments

    def __reduce__(self) -> tuple[Callable, tuple[Any, ...]]:
        return self.call, self.arguments


@pytest.mark.parametrize('protocol', [0, 2, 4])
@pytest.mark.parametrize('place', ['alone', 'in the list', 'in an array'])
def test_poisoned_pickle(tmp_path: Path, write: Callable[..., Path], protocol: int, place: str) -> None:
    """One sentence that names the file and what it asks for; nothing is executed."""
    canary = tmp_path / 'executed'
    poison: Any = Armed(os.mkdir, str(canary))
    if place == 'in the list':
        content = published()
        poison = dict(train=[*content['train'], poison], test=content['test'])
    elif place == 'in an array':
        poison = np.array([poison], dtype=object)
    root = write(poison, protocol=protocol)
    with pytest.raises(
        DatasetError, match=r"0\.pkl' was not loaded: it asks for .*; get it from https"
    ) as caught:
        FewShotModelNet40(root)
    assert not canary.exists() and len(str(caught.value).splitlines()) == 1
    assert 'mkdir' in str(caught.value) or place == 'in an array'
    pickle.loads((root / '5way_10shot' / '0.pkl').read_bytes())
    assert canary.exists()  # so the file was armed


@pytest.mark.parametrize(
    ('content', 'asked'),
    [
        (b'cbuiltins\neval\n(S"1"\ntR.', 'builtins.eval'),
        (b'cnumpy\nload\n(S"a"\ntR.', 'numpy.load'),
        (b'c_codecs\nencode\n(S"a"\nS"rot13"\ntR.', "encoding 'rot13'"),
        (b'cnumpy\ndtype\n(S"O8"\ntR.', "numpy type 'O8'"),
        (b'cnumpy\ndtype\n((lp0\ntR.', r"numpy type '\[\]'"),
    ],
)
def test_what_a_pickle_may_not_ask_for(write: Callable[..., Path], content: bytes, asked: str) -> None:
    """Functions, other modules, codecs that run code, and types of numpy that are no numbers."""
    with pytest.raises(DatasetError, match=f'was not loaded: it asks for {asked}'):
        FewShotModelNet40(write(content))


def test_pickle_cannot_change_what_it_may_name(write: Callable[..., Path]) -> None:
    """State set on the stand-in for a function of numpy is refused, so the next file is read as before."""
    good = pickle.dumps(published(), protocol=2)
    # BUILD with (None, {'__call__': 1}) on the object behind _codecs.encode.
    with pytest.raises(DatasetError, match="0.pkl' is truncated or not a pickle"):
        FewShotModelNet40(write(b'c_codecs\nencode\n(N(dS"__call__"\nI1\nstb.'))
    assert len(FewShotModelNet40(write(good))) == 50


@pytest.mark.parametrize('share', [0.0, 0.3, 0.99])
def test_truncated(write: Callable[..., Path], share: float) -> None:
    """A download that stopped."""
    content = pickle.dumps(published())
    with pytest.raises(DatasetError, match="0.pkl' is (empty|truncated or not a pickle)"):
        FewShotModelNet40(write(content[: int(share * len(content))]))


@pytest.mark.parametrize('content', [b'\x80\x04r\xff\xff\xff\xff.', b'\x80\x04\x8e' + b'\xff' * 7 + b'\x00.'])
def test_pickle_that_would_fill_the_memory(write: Callable[..., Path], content: bytes) -> None:
    """Places and lengths beyond the end of the file are refused before memory is taken for them."""
    with pytest.raises(DatasetError, match="0.pkl' is truncated or not a pickle"):
        FewShotModelNet40(write(content))


def _with(change: Callable[[dict], Any]) -> Any:
    content = published()
    return change(content) or content


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda content: content.pop('train') and None, "has no list of objects under 'train'"),
        (lambda content: content['train'].clear(), "has no list of objects under 'train'"),
        (lambda content: [1, 2], "has no list of objects under 'train'"),
        (lambda content: content['train'].__setitem__(3, 7), r"\[train\]\[3\]' is not \(points"),
        (
            lambda content: content['train'].__setitem__(3, (np.ones((4, 2)), 0, 7)),
            r"\[train\]\[3\]' is not \(points \(N, 3 or more\), label, label in ModelNet40\)",
        ),
        (
            lambda content: content['train'].__setitem__(3, (np.ones((4, 3)), 0.5, 7)),
            r"\[train\]\[3\]' is not \(points",
        ),
        (
            lambda content: content['train'].__setitem__(3, (np.ones((0, 3)), 0, 7)),
            r'\[train\]\[3\] is an empty cloud',
        ),
        (
            lambda content: content['train'].__setitem__(3, (np.ones((4, 3)), 5, 7)),
            r'has label 5 at object 3, outside \[0, 5\)',
        ),
        (
            lambda content: content['train'].__setitem__(3, (np.ones((4, 3)), 0, 8)),
            'gives label 0 to the classes 7 and 8 of ModelNet40',
        ),
        (
            lambda content: content['train'].pop() and None,
            'has 9 support objects of class 4, but num_shots=10',
        ),
    ],
)
def test_other_content(write: Callable[..., Path], change: Callable[[dict], Any], message: str) -> None:
    """What is wrong, and where."""
    with pytest.raises(DatasetError, match=message):
        FewShotModelNet40(write(_with(change)))


SHAPES = dict(type='ProceduralShapes', num_samples=320, num_points=16)


def sources(**settings: Any) -> list[str]:
    """Sources of the objects of a fold."""
    dataset = FewShot(SHAPES, **settings)
    return [item['data_samples'].source for item in dataset]


@pytest.mark.parametrize(('num_ways', 'num_shots'), [(5, 10), (10, 20)])
def test_protocol(num_ways: int, num_shots: int) -> None:
    """K classes; N objects each from the training objects and 20 from the test objects; labels from 0 to K - 1."""
    support, queries = (
        FewShot(SHAPES, num_ways=num_ways, num_shots=num_shots, fold=4, split=split)
        for split in ('train', 'test')
    )
    assert support.classes == queries.classes and len(set(support.classes)) == num_ways
    assert set(support.class_counts().values()) == {num_shots} and set(queries.class_counts().values()) == {
        20
    }
    names = {
        split: [item['data_samples'].source for item in dataset]
        for split, dataset in (('train', support), ('test', queries))
    }
    assert len(set(names['train'] + names['test'])) == num_ways * (num_shots + 20)  # disjoint, none twice
    assert all(name.startswith('procedural/test') for name in names['test'])
    assert not any(name.startswith('procedural/test') for name in names['train'])
    for dataset in (support, queries):
        for index, item in enumerate(dataset):
            sample, original = (
                item['data_samples'],
                dataset.dataset[int(dataset.index[index])]['data_samples'],
            )
            assert sample.sample_idx == index and sample.source == original.source
            assert sample.gt_label == dataset.labels[index]
            assert dataset.classes[int(sample.gt_label)] == dataset.dataset.classes[int(original.gt_label)]
    assert support.metainfo['classes'] == support.classes
    assert support.metainfo['few_shot'] == dict(num_ways=num_ways, num_shots=num_shots, fold=4)
    assert 'fold 4' in repr(support)


def test_folds() -> None:
    """The fold decides everything; folds and seeds differ; fewer shots and ways are part of more."""
    assert sources(fold=3) == sources(fold=3) == sources(fold=3, split='trainval')
    folds = [FewShot(SHAPES, fold=fold) for fold in range(10)]
    assert len({dataset.classes for dataset in folds}) > 5
    assert len({tuple(dataset.index) for dataset in folds}) == 10
    assert sources(fold=3) != sources(fold=3, seed=1)
    assert sources(fold=0, num_ways=16) != sources(fold=1, num_ways=16)  # other objects of the same classes
    assert set(sources(num_shots=10)) < set(sources(num_shots=20))
    assert set(sources(num_ways=5)) < set(sources(num_ways=10))
    assert sources(split='test', num_shots=10) == sources(split='test', num_shots=20)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(fold=10), 'fold=10 is out of range; the protocol has the folds 0 to 9'),
        (dict(fold=-1), 'fold=-1 is out of range'),
        (dict(num_ways=1), 'num_ways=1, num_shots=10: a fold needs at least 2 ways and 1 shot'),
        (dict(num_shots=0), 'num_shots=0: a fold needs'),
        (dict(split='val'), "split='val' is unknown to the few-shot protocol"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    """The same sentences for both datasets, before anything is read."""
    with pytest.raises(ValueError, match=message):
        FewShot(SHAPES, **settings)
    with pytest.raises(ValueError, match=message):
        FewShotModelNet40(tmp_path, **settings)


def test_too_few() -> None:
    """Of classes, of support objects in a class, and of queries."""
    with pytest.raises(ValueError, match=r'num_ways=17 exceeds the 16 classes of ProceduralShapes'):
        FewShot(SHAPES, num_ways=17)
    with pytest.raises(ValueError, match='num_queries=0 must be at least 1'):
        FewShot(SHAPES, num_queries=0)
    few = {**SHAPES, 'num_samples': 64}
    with pytest.raises(
        DatasetError, match=r"class '\w+' has \d objects in ProceduralShapes.*num_shots=10; lower"
    ):
        FewShot(few, num_shots=10)
    with pytest.raises(
        DatasetError, match=r"class '\w+' has 4 objects in .*split='test'.*num_queries=20; lower"
    ):
        FewShot(few, num_shots=4, split='test')


@pytest.mark.skipif(not REAL.exists(), reason='the real ModelNet10 is not here')
def test_real_modelnet10() -> None:
    """All ten folds of the 5-way 10-shot protocol can be drawn."""
    base = dict(type='ModelNet', num_classes=10, data_root=str(REAL))
    drawn = set()
    for fold in range(10):
        support, queries = (FewShot(base, fold=fold, split=split) for split in ('train', 'test'))
        assert (len(support), len(queries)) == (50, 100) and support.classes == queries.classes
        assert support[0]['inputs']['points'].shape == (1024, 3)
        drawn.add(support.classes)
    assert len(drawn) > 5
