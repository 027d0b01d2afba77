"""Predictions from Python: as the tools', whatever the clouds are given as."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from small_models import BACKBONE, scramble, small_config

from point_peft.apis import Inferencer, TrainingResult, get_model, init_model, read_cloud
from point_peft.engine.checkpoint import full_state
from point_peft.io.errors import (
    ConfigError,
    DatasetError,
    InvalidValueError,
    MissingFileError,
    PointPEFTError,
)

Results = list[dict[str, Any]]


@pytest.fixture(scope='module')
def inferencer(trained: TrainingResult) -> Inferencer:
    """Of a checkpoint alone."""
    return Inferencer(trained.checkpoint)


def table(path: Path) -> dict[str, dict[str, str]]:
    """Rows of a CSV file by file."""
    with path.open() as file:
        return {row['file']: row for row in csv.DictReader(file)}


def scores(results: Results) -> np.ndarray:
    """Probabilities (clouds, classes)."""
    return np.stack([result['pred_scores'] for result in results])


def test_as_the_tools(
    inferencer: Inferencer,
    trained: TrainingResult,
    data: Path,
    tmp_path: Path,
    load_tool: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every file has the class and the probabilities of the test and of tools/infer.py, and the names are right."""
    results = inferencer(data)
    files = sorted(data.rglob('*.*'))
    assert [result['source'] for result in results] == [str(path) for path in files]
    tested, out = table(trained.work_dir / 'report' / 'predictions.csv'), tmp_path / 'out.csv'
    tool = load_tool('infer.py')
    words = ['infer.py', str(trained.checkpoint), str(data), '--out', str(out)]
    monkeypatch.setattr('sys.argv', words)
    tool.main(tool.parse_args())
    inferred, names = table(out), ['ball', 'disc', 'rod']
    assert len(inferred) == len(results) == 36 and len(tested) >= 6
    for result in results:
        assert result['error'] is None and result['pred_class'] == names[result['pred_label']]
        assert result['pred_score'] == result['pred_scores'].max() and result['points'].shape == (128, 3)
        for rows in (tested, inferred):
            row = rows.get(result['source'])
            if row is not None:
                assert row['class'] == result['pred_class']
                found = [float(row[f'p:{name}']) for name in names]
                np.testing.assert_allclose(result['pred_scores'], found, atol=2e-6)
    assert np.ptp(scores(results), axis=0).max() > 1e-3  # they are not all the same


def test_batches_and_order(inferencer: Inferencer, data: Path) -> None:
    """Neither the size of a batch nor the others in it matter, and duplicates stay."""
    files = sorted(data.rglob('*.*'))[::5]
    given = [*files[::-1], files[0], str(data / 'rod')]
    whole = inferencer(given)
    expected = [*map(str, files[::-1]), str(files[0]), *map(str, sorted((data / 'rod').iterdir()))]
    assert [result['source'] for result in whole] == expected
    for size in (1, 3, 1000):
        again = inferencer(given, batch_size=size)
        np.testing.assert_allclose(scores(again), scores(whole), atol=1e-5)
        assert [one['source'] for one in again] == expected
    np.testing.assert_array_equal(whole[len(files)]['points'], whole[len(files) - 1]['points'])
    for size in (0, -1, 2.5, 'all'):
        with pytest.raises(InvalidValueError, match='must be a whole number of at least 1'):
            inferencer(given, batch_size=size)


def test_arrays(inferencer: Inferencer, tmp_path: Path) -> None:
    """Arrays and tensors of any kind have the result of the file with the same points, in any place and unit."""
    points = np.random.default_rng(1).standard_normal((2, 128, 3)) * (1, 2, 0.3)  # as many as the model takes
    for name, cloud in zip('ab', points):
        np.save(tmp_path / f'{name}.npy', cloud)
    expected = scores(inferencer(tmp_path))
    tensor = torch.from_numpy(points)
    moved = points * 1000 + 5e5
    tolerances: list[tuple[Any, float]] = [
        (points, 0),
        (list(points), 0),
        (tuple(tensor), 0),
        ((cloud for cloud in points), 0),
        (tensor.clone().requires_grad_(), 0),
        ([read_cloud(tmp_path / 'a.npy'), str(tmp_path / 'b.npy')], 0),
        (tensor.float(), 1e-5),
        (moved, 1e-5),
        (tensor.half(), 2e-2),
        ((points * 1e6).astype(np.int64), 1e-4),
    ]
    for given, tolerance in tolerances:
        results = inferencer(given)
        np.testing.assert_allclose(scores(results), expected, atol=tolerance)
    assert [result['source'] for result in inferencer(points)] == ['array 0', 'array 1']
    np.testing.assert_allclose(scores(inferencer(points[1])), expected[1:], atol=1e-5)


def test_an_array_does_not_depend_on_its_place(inferencer: Inferencer, log: list) -> None:
    """Points are drawn from larger clouds by one seed; smaller ones are repeated, which is said."""
    clouds = [np.random.default_rng(size).standard_normal((size, 3)) for size in (400, 60, 128)]
    results = inferencer(clouds)
    for cloud, result in zip(clouds, results):
        np.testing.assert_allclose(scores(inferencer(cloud)), result['pred_scores'][None], atol=1e-5)
    assert [result['points'].shape for result in results] == [(128, 3)] * 3
    (said,) = {text for text in log.at('WARNING') if 'array 1' in text}
    assert said == 'array 1 has 60 points, fewer than the 128 of the dataset; some are repeated.'


GOOD = np.random.default_rng(0).random((30, 3))


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        (np.zeros((3, 4)), r'array 0 has shape \(3, 4\); expected \(number of points, 3\)'),
        (np.zeros((2, 2, 3, 3)), r'array 0 has shape \(2, 2, 3, 3\); expected'),
        (np.zeros((0, 3)), 'array 0 is an empty cloud'),
        (np.zeros((0, 30, 3)), 'there is no cloud; give a file'),
        ([GOOD, np.full((9, 3), np.nan)], r'array 1 has a NaN or infinite coordinate: point 0'),
        (torch.full((9, 3), torch.inf), 'array 0 has a NaN or infinite coordinate'),
        ([GOOD, GOOD[:4]], 'array 1 has 4 points; a cloud has at least 5'),
        ([GOOD, np.ones((9, 3))], 'array 1 has no extent'),
        (np.array([['a', 'b', 'c']] * 9), 'array 0 holds values of type <U1; expected numbers'),
        ([], 'there is no cloud; give a file'),
        ([[1.0, 2.0, 3.0]], 'input 0 is a list; give a path, or an array'),
        (5, 'input 0 is a int; give a path, or an array'),
        ([GOOD, None], 'input 1 is a NoneType; give a path'),
    ],
)
def test_arrays_that_are_no_cloud(inferencer: Inferencer, given: Any, message: str) -> None:
    """One sentence, which says which of them; arrays are never passed over."""
    with pytest.raises(PointPEFTError, match=message) as caught:
        inferencer(given)
    assert '\n' not in str(caught.value)


def test_bad_files(inferencer: Inferencer, data: Path, tmp_path: Path, log: list) -> None:
    """Among others they are said and passed over, in their place; alone they are an error."""
    good = sorted((data / 'rod').iterdir())[0]
    (tmp_path / 'a.xyz').write_text('1 2\n')
    np.save(tmp_path / 'c.npy', np.full((100, 3), np.nan))
    (tmp_path / 'b.npy').write_bytes(good.read_bytes())
    results = inferencer([tmp_path, good, tmp_path / 'absent.ply'])
    assert [Path(result['source']).name for result in results] == [
        'a.xyz',
        'b.npy',
        'c.npy',
        good.name,
        'absent.ply',
    ]
    assert ['pred_class' in result for result in results] == [False, True, False, True, False]
    assert 'is not a table of numbers' in results[0]['error'] and 'NaN' in results[2]['error']
    assert len([text for text in log.at('WARNING') if text.startswith('passed over: ')]) == 3
    with pytest.raises(DatasetError, match='a.xyz.* is not a table of numbers'):
        inferencer(tmp_path / 'a.xyz')
    with pytest.raises(ConfigError, match='none of the files can be used: .*a.xyz'):
        inferencer([tmp_path / 'a.xyz', tmp_path / 'c.npy'])
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DatasetError, match='empty. holds no cloud; expected files that end in'):
        inferencer(tmp_path / 'empty')


def test_too_few_points_for_the_model(trained: TrainingResult, data: Path, tmp_path: Path) -> None:
    """Where the dataset does not repeat points, the model refuses a cloud by name, and others are predicted."""
    options = {f'{split}_dataloader.dataset.num_points': None for split in ('train', 'val', 'test')}
    inferencer = Inferencer(trained.checkpoint, options=options)
    np.save(tmp_path / 'few.npy', GOOD[:10])
    with pytest.raises(PointPEFTError, match='few.npy. cannot be processed: num_points=10 < num_groups=16'):
        inferencer(tmp_path)
    with pytest.raises(PointPEFTError, match='array 1.* cannot be processed: num_points=10'):
        inferencer([GOOD, GOOD[:10]])
    results = inferencer([tmp_path, data / 'rod'])
    assert 'cannot be processed' in results[0]['error'] and all(
        result['pred_class'] for result in results[1:]
    )


def test_normalisation(trained: TrainingResult, tmp_path: Path, log: list) -> None:
    """It is said, done as the dataset does it, and can be changed."""
    inferencer = Inferencer(trained.checkpoint)
    assert "normalize='unit_sphere', num_points=128" in repr(inferencer)
    far = GOOD * 50 + 100
    (result,) = inferencer(far)
    assert np.linalg.norm(result['points'], axis=1).max() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(np.unique(result['points'], axis=0).shape, (30, 3))
    kept = Inferencer(trained.checkpoint, normalize='none')
    (result,) = kept(far)
    assert set(map(tuple, result['points'])) == set(map(tuple, far.astype(np.float32)))
    assert any(
        "array 0' among them" in text and "normalize='unit_sphere'" in text for text in log.at('WARNING')
    )
    with pytest.raises(ConfigError, match="normalize='box' is unknown; give unit_sphere or none"):
        Inferencer(trained.checkpoint, normalize='box')


def test_what_it_is_made_of(
    trained: TrainingResult, data: Path, tmp_path: Path, tiny: dict[str, Any]
) -> None:
    """A checkpoint; a name and a checkpoint; a config and a checkpoint; a model, which stays in its mode."""
    files = sorted((data / 'rod').iterdir())[:3]
    expected = scores(Inferencer(trained.checkpoint)(files))
    name, options = 'point_peft/pointmae_mini_folder', {**tiny, 'data_root': str(data)}
    np.testing.assert_array_equal(
        scores(Inferencer(name, trained.checkpoint, options=options)(files)), expected
    )
    model = get_model(name, trained.checkpoint, **options)
    np.testing.assert_array_equal(scores(Inferencer(model.cfg, trained.checkpoint)(files)), expected)
    model.train()
    np.testing.assert_array_equal(scores(Inferencer(model)(files)), expected)
    assert model.training
    with pytest.raises(
        ConfigError, match='folder is a config, and a model of it alone would guess; give a checkpoint'
    ):
        Inferencer(name)
    with pytest.raises(
        InvalidValueError, match='a model that is built takes neither a checkpoint nor options'
    ):
        Inferencer(model, trained.checkpoint)
    with pytest.raises(InvalidValueError, match='a Linear was given as the model; give a checkpoint'):
        Inferencer(torch.nn.Linear(2, 2))
    with pytest.raises(MissingFileError, match=r'absent\.pth'):
        Inferencer(tmp_path / 'absent.pth')
    with pytest.raises(PointPEFTError, match='PointMAEPretrain says nothing of a single cloud'):
        Inferencer(get_model('pretrain/pointmae_mini_shapes', pretrained=False))


def test_pictures(inferencer: Inferencer, data: Path, tmp_path: Path) -> None:
    """One for each cloud, with something in it; none of a file that cannot be used."""
    (tmp_path / 'a.xyz').write_text('1 2\n')
    files = [*sorted((data / 'rod').iterdir())[:2], tmp_path / 'a.xyz']
    results = inferencer(files, return_vis=True)
    assert ['visualization' in result for result in results] == [True, True, False]
    for result in results[:2]:
        picture = result['visualization']
        assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
        assert (picture < 250).any(axis=2).mean() > 0.01
    assert (results[0]['visualization'].shape != results[1]['visualization'].shape) or (
        results[0]['visualization'] != results[1]['visualization']
    ).any()


@pytest.fixture
def segmentor(tmp_path: Path) -> tuple[Config, Path]:
    """A small model that segments parts of two categories, and its checkpoint."""
    cfg = small_config(tmp_path)
    head = dict(type='PlainPartSegHead', parts_per_category=(2, 2), propagation_dims=(32, 16))
    cfg.model = dict(type='PartSegmentor', backbone=BACKBONE, head=head)
    cfg.data_preprocessor = dict(type='PointDataPreprocessor')
    cfg.test_dataloader.dataset.num_points = 100
    model = init_model(cfg)
    scramble(model)
    meta = dict(
        classes=('cap', 'mug'), parts=('cap/1', 'cap/2', 'mug/1', 'mug/2'), class_parts=dict(cap=(0, 1))
    )
    torch.save(dict(state_dict=full_state(model), meta=dict(dataset_meta=meta)), tmp_path / 'parts.pth')
    return cfg, tmp_path / 'parts.pth'


def test_parts(segmentor: tuple[Config, Path]) -> None:
    """A part of its category for every point; categories by name, for all or one for each."""
    inferencer = Inferencer(*segmentor)
    clouds = np.random.default_rng(0).standard_normal((3, 150, 3))
    both = inferencer(clouds, category=['mug', 'CAP', 1])
    assert [result['category'] for result in both] == [1, 0, 1]
    for result in both:
        allowed = {2, 3} if result['category'] else {0, 1}
        assert result['points'].shape == (100, 3) and result['pred_parts'].shape == (100,)
        assert set(result['pred_parts'].tolist()) <= allowed and set(result['part_names']) <= allowed
        assert set(result['part_names'].values()) <= {'cap/1', 'cap/2', 'mug/1', 'mug/2'}
    alone = inferencer(clouds[1], category='cap', return_vis=True)
    np.testing.assert_array_equal(alone[0]['pred_parts'], both[1]['pred_parts'])
    assert alone[0]['visualization'].ndim == 3
    for category, message in (
        (None, 'give the category, one of cap, mug'),
        ('teapot', "category 'teapot' is unknown; give one of cap, mug"),
        (['mug'], 'the number of categories is 1, that of the inputs 3; give one for each'),
        (['mug'] * 4, 'the number of categories is 4, that of the inputs 3; give one for each'),
    ):
        with pytest.raises(PointPEFTError, match=message):
            inferencer(clouds, category=category)


def test_category_of_a_classifier(inferencer: Inferencer) -> None:
    """It needs none."""
    with pytest.raises(
        ConfigError, match='a category is for part segmentation, but the model is a PointClassifier'
    ):
        inferencer(GOOD, category='mug')
