"""Classifying files from the command line."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import warm_python
from matplotlib.image import imread
from mmengine.config import Config
from small_models import BACKBONE, scramble, small_config

from point_peft.apis import inferencer, init_model
from point_peft.apis.answers import class_names
from point_peft.apis.inputs import listed, read_clouds
from point_peft.apis.prediction import dataset_meta, find_category, preparation_for_files
from point_peft.datasets.normalize import unit_sphere
from point_peft.datasets.preparation import Preparation
from point_peft.engine.checkpoint import full_state
from point_peft.engine.config import load_config
from point_peft.io.errors import ConfigError, DatasetError, PointPEFTError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/linear_probe/pointmae_mini_shapes.py'
OPTIONS = {'model.backbone.init_cfg': None}
CLASSES = [f'class {index}' for index in range(16)]
META = dict(
    classes=('cap', 'mug'),
    parts=('cap/1', 'cap/2', 'mug/1', 'mug/2'),
    class_parts=dict(cap=(0, 1), mug=(2, 3)),
)


@pytest.fixture
def infer(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    """The tool as a module."""
    return load_tool('infer.py')


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A full checkpoint of random weights that knows its classes."""
    torch.manual_seed(0)
    path = tmp_path / 'model.pth'
    model = init_model(load_config(CONFIG, OPTIONS))
    content = dict(state_dict=full_state(model), meta=dict(dataset_meta=dict(classes=CLASSES)))
    torch.save(content, path)
    return path


@pytest.fixture
def part_config(tmp_path: Path) -> Config:
    """Config of a small model that segments parts."""
    cfg = small_config(tmp_path)
    cfg.model = dict(
        type='PartSegmentor',
        backbone=BACKBONE,
        head=dict(
            type='PlainPartSegHead',
            parts_per_category=(2, 2),
            propagation_dims=(32, 16),
        ),
    )
    cfg.data_preprocessor = dict(type='PointDataPreprocessor')
    cfg.test_dataloader.dataset.num_points = 100
    cfg.dump(tmp_path / 'parts.py')
    return cfg


@pytest.fixture
def part_checkpoint(tmp_path: Path, part_config: Config) -> Path:
    """A full checkpoint of random weights that knows its categories and parts."""
    path = tmp_path / 'parts.pth'
    model = init_model(part_config)
    scramble(model)
    torch.save(dict(state_dict=full_state(model), meta=dict(dataset_meta=META)), path)
    return path


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    """A cloud far from the origin, with more points than the model takes."""
    path = tmp_path / 'cloud.npy'
    np.save(path, np.random.default_rng(0).random((1500, 3)) * 20 + 7)
    return path


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    """A tetrahedron."""
    path = tmp_path / 'mesh.off'
    path.write_text('OFF\n4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 1 3\n3 0 2 3\n3 1 2 3\n')
    return path


def arguments(checkpoint: Path, *files: Path, **changes: Any) -> argparse.Namespace:
    """The tool's arguments."""
    defaults = dict(top_k=2, normalize=None, png=None, html=None, category=None, out=None, device='cpu')
    defaults |= dict(config=CONFIG, cfg_options=OPTIONS)
    return argparse.Namespace(checkpoint=str(checkpoint), files=files, **{**defaults, **changes})


def read(preparation: Preparation, *files: Path) -> list[torch.Tensor]:
    """Clouds as the model gets them."""
    return [answer.points for answer in read_clouds(preparation, listed(list(files)))]


def test_command_line(tmp_path: Path, checkpoint: Path, cloud: Path, mesh: Path) -> None:
    """A process without a display prints the classes of a cloud and a mesh, and draws both."""
    picture, page = tmp_path / 'picture.png', tmp_path / 'page.html'
    command = [
        sys.executable,
        'tools/infer.py',
        CONFIG,
        checkpoint,
        cloud,
        mesh,
        '--top-k',
        3,
        '--png',
        picture,
        '--html',
        page,
    ]
    command += ['--cfg-options', 'model.backbone.init_cfg=None']
    environment = {
        **os.environ,
        'DISPLAY': '',
        'MPLBACKEND': 'TkAgg',
        'COLUMNS': '300',
        'OMP_NUM_THREADS': '1',
    }
    environment['PYTHONPATH'] = str(ROOT / 'projects')
    done = warm_python.run(command, env=environment)
    assert done.returncode == 0, done.stderr
    rows = [
        line.split() for line in done.stdout.splitlines() if ' class ' in line and 'probability' not in line
    ]
    assert [row[0] for row in rows if len(row) == 4] == [str(cloud), str(mesh)]
    probabilities = [float(row[-1]) for row in rows]
    assert len(probabilities) == 6
    assert probabilities[:3] == sorted(probabilities[:3], reverse=True)
    assert all(0 < value < 1 for value in probabilities)
    height, width = imread(picture).shape[:2]
    assert width > 1.5 * height  # two clouds side by side
    assert cloud.name in page.read_text()


def test_same_as_the_model(infer: ModuleType, checkpoint: Path, cloud: Path) -> None:
    """The probabilities are those of the model on the normalised cloud, whatever its unit and place."""
    cfg = load_config(CONFIG, OPTIONS)
    model = init_model(cfg, checkpoint)
    preparation = preparation_for_files(cfg)
    moved = cloud.with_name('moved.npy')
    np.save(moved, np.load(cloud) * 5 - 100)
    (answer,) = infer.Inferencer(model).answers(cloud)
    points, sample = answer.points, answer.sample
    assert points.shape == (1024, 3)  # as many as the built-in shapes have, whose density the model knows
    assert points.norm(dim=1).max() == pytest.approx(1, abs=1e-6)
    assert sample.pred_scores.sum() == pytest.approx(1, abs=1e-5)
    batch = model.data_preprocessor({'inputs': {'points': [points]}}, False)
    with torch.no_grad():
        torch.testing.assert_close(sample.pred_scores, model(batch['inputs']).softmax(dim=-1)[0])
    rows = np.load(cloud).astype(np.float32)
    (kept,) = read(replace(preparation, normalize=None), cloud)
    assert set(map(tuple, kept.tolist())) <= set(map(tuple, rows.tolist()))
    again = read(replace(preparation, num_points=None), cloud, moved)
    torch.testing.assert_close(*again, atol=1e-6, rtol=0)


def test_parts(
    infer: ModuleType,
    tmp_path: Path,
    part_config: Config,
    part_checkpoint: Path,
    cloud: Path,
    mesh: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The parts are those of the model for this category, on as many points as it was trained on; all is drawn."""
    (points,) = read(preparation_for_files(part_config), cloud)
    assert points.shape == (100, 3)
    model = init_model(part_config, part_checkpoint)
    with torch.no_grad():
        found = model(dict(points=points[None], category=torch.tensor([1])))[0]
        model.head.convs3.bias -= found.mean(dim=0)  # random weights would give all points one part
    expected = 2 + (found - found.mean(dim=0))[:, 2:].argmax(dim=-1)
    assert set(expected.tolist()) == {2, 3}
    torch.save(dict(state_dict=full_state(model), meta=dict(dataset_meta=META)), part_checkpoint)

    page, picture, shown = tmp_path / 'page.html', tmp_path / 'picture.png', []
    keep = lambda clouds, path, title: shown.extend(clouds) or path.touch()  # noqa: E731
    monkeypatch.setattr('point_peft.visualization.write_page', keep)
    given = dict(config=tmp_path / 'parts.py', cfg_options={}, category='Mug', png=picture, html=page)
    infer.main(arguments(part_checkpoint, cloud, mesh, **given))
    assert page.is_file()
    assert imread(picture).size
    assert [found.title for found in shown] == ['mug, cloud.npy', 'mug, mesh.off']
    np.testing.assert_array_equal(shown[0].points, points.numpy())
    np.testing.assert_array_equal(shown[0].labels['predicted'], expected.numpy())
    assert shown[0].names == {2: 'mug/1', 3: 'mug/2'}


def test_category(
    infer: ModuleType, tmp_path: Path, checkpoint: Path, part_checkpoint: Path, cloud: Path
) -> None:
    """Name in any case, or index; what is missing, unknown or out of place is said in one sentence."""
    assert [find_category(name, META['classes'], 2) for name in ('mug', 'CAP', '1', 1)] == [1, 0, 1, 1]
    assert find_category('7', (), 8) == 7
    config = tmp_path / 'parts.py'
    for category, message in (
        (None, r'the model segments the parts of objects .*; give the category, one of cap, mug\.'),
        ('teapot', r"category 'teapot' is unknown; give one of cap, mug\."),
        ('2', r"category '2' is unknown; give one of cap, mug\."),
    ):
        with pytest.raises(ConfigError, match=message):
            infer.main(arguments(part_checkpoint, cloud, config=config, cfg_options={}, category=category))
    with pytest.raises(ConfigError, match="'x' is unknown; give its index, as the checkpoint has no names"):
        find_category('x', (), 2)
    with pytest.raises(ConfigError, match='a category is for part segmentation, but the model is a PointCl'):
        infer.main(arguments(checkpoint, cloud, category='mug'))


def test_category_outside_the_head(
    infer: ModuleType, tmp_path: Path, part_config: Config, part_checkpoint: Path, cloud: Path
) -> None:
    """Where neither file nor dataset has names, the model decides."""
    bare = tmp_path / 'bare.pth'
    torch.save(dict(state_dict=torch.load(part_checkpoint)['state_dict'], meta={}), bare)
    for name in ('test_dataloader', 'test_cfg', 'test_evaluator'):
        part_config[name] = None
    part_config.dump(tmp_path / 'bare.py')
    with pytest.raises(ConfigError, match='category 2 is too large; the model has 2 categories'):
        infer.main(arguments(bare, cloud, config=tmp_path / 'bare.py', cfg_options={}, category='2'))


@pytest.mark.parametrize('normalize', ['none', 'unit_sphere', None])
def test_normalisation_can_be_chosen(cloud: Path, log, normalize: str | None) -> None:
    """The flag counts, else the dataset; coordinates far from the unit sphere are said to be kept."""
    cfg = load_config(CONFIG, OPTIONS)
    cfg.test_dataloader.dataset = dict(type='ScanObjectNN', data_root='nowhere', split='test')
    (points,) = read(preparation_for_files(cfg, normalize), cloud)
    expected = np.load(cloud)
    if normalize == 'unit_sphere':
        expected = unit_sphere(expected)
    np.testing.assert_array_equal(points.numpy(), expected.astype(np.float32))
    warned = [text for text in log.at('WARNING') if 'give --normalize unit_sphere' in text]
    assert len(warned) == (normalize != 'unit_sphere')


def test_nothing_says_how_to_prepare() -> None:
    """Without a dataset the flag is needed."""
    cfg = load_config(CONFIG, OPTIONS)
    cfg.train_dataloader = cfg.val_dataloader = cfg.test_dataloader = None
    with pytest.raises(ConfigError, match='no dataset, which would say .*; give --normalize'):
        preparation_for_files(cfg)
    assert preparation_for_files(cfg, 'unit_sphere') == Preparation('unit_sphere')
    cfg.test_dataloader = dict(dataset=dict(type=list))
    with pytest.raises(ConfigError, match="'list'> does not say .*; give --normalize"):
        preparation_for_files(cfg)


def test_tables_by_hand(infer: ModuleType) -> None:
    """The highest first; a file is named once; no more rows than classes."""
    table = infer.class_table(['a', 'b'], [torch.tensor([0.2, 0.8])] * 2, ['x', 'y'], 5)
    assert [list(column.cells) for column in table.columns] == [
        ['a', '', 'b', ''],
        ['y', 'x'] * 2,
        ['0.8000', '0.2000'] * 2,
    ]
    table = infer.part_table(['a', 'b'], [torch.tensor([3, 2, 3, 3]), torch.tensor([4])], META['parts'])
    assert [list(column.cells) for column in table.columns] == [
        ['a', '', 'b'],
        ['2', '3', '4'],
        ['mug/1', 'mug/2', ''],
        ['1', '3', '1'],
        ['25.0 %', '75.0 %', '100.0 %'],
    ]


def test_names_do_not_act(infer: ModuleType, capsys: pytest.CaptureFixture) -> None:
    """Markup and control characters in the names of files, classes and parts are printed letter by letter."""
    files, names = ['[red]a[/b]\x1b[2J.npy'], ['[bold]x\x07', ':smile:']
    console = infer.plain_console()
    console.print(infer.class_table(files, [torch.tensor([0.2, 0.8])], names, 5))
    console.print(infer.part_table(files, [torch.tensor([0, 1])], names))
    printed = capsys.readouterr().out
    for text in (r'[red]a[/b]\x1b[2J.npy', r'[bold]x\x07', ':smile:'):
        assert printed.count(text) == 2
    assert '\x1b' not in printed and '\x07' not in printed


def test_names() -> None:
    """Names come from the training, else from the dataset; numbers stand in for missing or other ones."""
    cfg = load_config(CONFIG, OPTIONS)
    assert dataset_meta(cfg, dict(dataset_meta=dict(classes=CLASSES))) == dict(classes=CLASSES)
    assert dataset_meta(cfg, {})['classes'][:2] == ('airplane', 'bed')
    cfg.test_dataloader.dataset.type = 'ProceduralParts'
    assert dataset_meta(cfg, {})['class_parts']['bottle'] == (14, 15, 16)
    cfg.test_dataloader = None
    assert dataset_meta(cfg, {}) == {}
    assert class_names(dict(classes=CLASSES), 16) == CLASSES
    assert class_names(dict(classes=CLASSES), 3) == class_names({}, 3) == ['0', '1', '2']


def test_bad_files(infer: ModuleType, tmp_path: Path, checkpoint: Path, mesh: Path) -> None:
    """Each fault names the file."""
    pose, spoilt, text = tmp_path / 'pose.npy', tmp_path / 'spoilt.npy', tmp_path / 'cloud.what'
    np.save(pose, np.random.default_rng(0).random((4, 4)))
    np.save(spoilt, np.full((100, 3), np.nan))
    text.touch()
    for path, error, message in (
        (pose, DatasetError, r'pose.npy.* array of shape \(4, 4\), .* or a matrix'),
        (spoilt, DatasetError, 'spoilt.npy.* has a NaN or infinite coordinate: point 0'),
        (text, DatasetError, 'cloud.what.* has an unknown format; expected one of'),
        (tmp_path / 'none.ply', FileNotFoundError, 'none.ply. does not exist; check the path.$'),
        (tmp_path / 'no_scans', FileNotFoundError, 'no_scans. does not exist; check the path.$'),
    ):
        with pytest.raises(error, match=message):
            infer.main(arguments(checkpoint, path))
    with pytest.raises(ConfigError, match='--top-k 0 prints nothing'):
        infer.main(arguments(checkpoint, mesh, top_k=0))


def test_too_few_points(infer: ModuleType, tmp_path: Path, checkpoint: Path, log, monkeypatch) -> None:
    """A dataset that resamples repeats them, which is said; for another the model refuses them by name."""
    few = tmp_path / 'few.npy'
    np.save(few, np.random.default_rng(0).random((10, 3)))
    infer.main(arguments(checkpoint, few))
    assert any(
        'few.npy' in text and 'has 10 points, fewer than the 1024' in text for text in log.at('WARNING')
    )
    del log[:]
    np.save(tmp_path / 'other.npy', np.random.default_rng(1).random((20, 3)))
    infer.main(arguments(checkpoint, tmp_path))
    (said,) = log.at('WARNING')
    assert "2 of 2 clouds, '" in said and "few.npy' among them, have fewer points than the 1024" in said
    monkeypatch.setattr(inferencer, 'preparation_for_files', lambda *_: Preparation('unit_sphere'))
    with pytest.raises(PointPEFTError, match='few.npy.* cannot be processed: num_points=10 < num_groups=64'):
        infer.main(arguments(checkpoint, few))


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['--device', 'gpu'], "'gpu' is no device; give cpu, cuda"),
        (['--device', 'cuda:99'], 'cuda:99 was given, but'),
        (['--top-k', 'many'], 'give a whole number of at least 1'),
        (['--png', '.'], "--png '.*' is a directory"),
        (['--normalize', 'box'], 'invalid choice'),
    ],
)
def test_bad_flags(checkpoint: Path, mesh: Path, flags: list[str], message: str) -> None:
    """One sentence, before anything is read."""
    command = [sys.executable, 'tools/infer.py', CONFIG, checkpoint, mesh, *flags]
    done = warm_python.run(command)
    assert done.returncode != 0 and 'Traceback' not in done.stderr
    assert re.search(message, done.stderr), done.stderr
