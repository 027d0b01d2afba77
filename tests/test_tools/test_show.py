"""Pictures of test clouds from the command line."""

from __future__ import annotations

import argparse
import json
import os
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import warm_python
from matplotlib.image import imread
from mmengine.config import Config
from mmengine.device import utils as mmengine_device
from mmengine.registry import init_default_scope
from small_models import BACKBONE, small_config

import point_peft.visualization
from point_peft.engine.checkpoint import full_state
from point_peft.io.errors import ConfigError
from point_peft.procedural import ProceduralParts
from point_peft.procedural.shapes import CLASS_PARTS, CLASSES
from point_peft.registry import DATASETS, MODELS
from point_peft.visualization import ShownCloud

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tool(load_tool: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """``tools/test.py`` as a module, which leaves MMEngine's device as it was."""
    monkeypatch.setattr(mmengine_device, 'DEVICE', mmengine_device.DEVICE)
    return load_tool('test.py')


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[ShownCloud]:
    """What gets into the page."""
    found: list[ShownCloud] = []
    write = point_peft.visualization.write_page

    def write_page(clouds: list[ShownCloud], path: Path, *, title: str) -> None:
        found.extend(clouds)
        write(clouds, path, title=title)

    monkeypatch.setattr(point_peft.visualization, 'write_page', write_page)
    return found


@pytest.fixture
def classification(tmp_path: Path) -> Path:
    """Config of a small classifier that takes 48 of 64 points; its checkpoint is beside it."""
    cfg = small_config(tmp_path / 'work', method='linear_probe')
    cfg.data_preprocessor.num_points = 48
    return write(cfg, tmp_path / 'classification.py')


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Config of a small part segmentation model; its checkpoint is beside it."""
    cfg = small_config(tmp_path / 'work')
    head = dict(type='PlainPartSegHead', propagation_dims=(32, 16))
    head['parts_per_category'] = [len(found) for found in CLASS_PARTS.values()]
    cfg.model = dict(type='PartSegmentor', backbone=BACKBONE, head=head)
    cfg.data_preprocessor = dict(type='PointDataPreprocessor')
    cfg.test_dataloader.dataset.type = 'ProceduralParts'
    cfg.test_evaluator = dict(type='PartSegMetric')
    return write(cfg, tmp_path / 'parts.py')


def write(cfg: Config, path: Path) -> Path:
    """Write a config, and beside it a checkpoint of random weights."""
    init_default_scope('point_peft')
    torch.manual_seed(0)
    cfg.test_dataloader.batch_size = 3
    cfg.dump(path)
    model = MODELS.build({'data_preprocessor': cfg.data_preprocessor, **cfg.model})
    torch.save(dict(state_dict=full_state(model), meta={}), path.with_suffix('.pth'))
    return path


def arguments(config: Path, show_dir: Path | None, **changes: Any) -> argparse.Namespace:
    """The tool's arguments; every run has a name of its own."""
    options = {'experiment_name': uuid.uuid4().hex, **changes.pop('cfg_options', {})}
    given = dict(
        show_dir=show_dir and str(show_dir),
        show_num=4,
        show_score=0.3,
        votes=None,
        report=None,
        out=None,
        work_dir=None,
        launcher='none',
        device='cpu',
    )
    given |= dict(config=str(config), checkpoint=str(config.with_suffix('.pth')), cfg_options=options)
    return argparse.Namespace(**{**given, **changes})


def files(out: Path) -> list[str]:
    """Names of what was written."""
    return sorted(path.name for path in out.iterdir())


PICTURES = ['cloud_000.png', 'cloud_001.png', 'cloud_002.png', 'cloud_003.png']


def test_command_line_without_a_display(tmp_path: Path, classification: Path) -> None:
    """A process without a display writes a picture per cloud and a page that loads nothing; the log says where."""
    out = tmp_path / 'deep' / 'out'
    command = [sys.executable, 'tools/test.py', classification, classification.with_suffix('.pth')]
    command += ['--show-dir', out, '--show-num', 4, '--device', 'cpu']
    environment = {**os.environ, 'MPLBACKEND': 'TkAgg', 'OMP_NUM_THREADS': '1'}
    environment['PYTHONPATH'] = str(ROOT / 'projects')
    environment.pop('DISPLAY', None)
    done = warm_python.run(command, env=environment)
    assert done.returncode == 0, done.stderr
    assert f'4 clouds are shown in {out}' in done.stdout + done.stderr
    assert files(out) == [*PICTURES, 'clouds.html']
    page = (out / 'clouds.html').read_text()
    assert 'src="http' not in page
    assert r'test[3]\ntrue: bookshelf\npredicted: ' in page


def test_votes(tool: ModuleType, tmp_path: Path, parts: Path) -> None:
    """Results of voting are named so, and plain ones are not."""
    for votes, suffix in ((None, ''), (3, ' (3 votes)')):
        out = tmp_path / f'{votes}.json'
        tool.main(arguments(parts, None, votes=votes, out=str(out)))
        assert f'instance_miou{suffix}' in json.loads(out.read_text())
        assert all(name.endswith(suffix) for name in json.loads(out.read_text()) if 'miou' in name)


def test_metrics_that_are_no_numbers(tool: ModuleType, tmp_path: Path) -> None:
    """What strict JSON cannot say is null; what is no number at all is left out."""
    metrics = dict(
        miou=0.25, wall=float('nan'), door=np.float64('nan'), loss=float('inf'), iou=[1.0], count=3
    )
    tool.write_metrics(str(tmp_path / 'out.json'), metrics)

    def refuse(constant: str) -> None:
        raise AssertionError(f'{constant} is not JSON')

    found = json.loads((tmp_path / 'out.json').read_text(), parse_constant=refuse)
    assert found == dict(miou=0.25, wall=None, door=None, loss=None, count=3.0)


def test_score_reaches_the_hook(tool: ModuleType, parts: Path) -> None:
    """The flag for the score of boxes ends in the config."""
    cfg = Config.fromfile(parts)
    tool.apply_arguments(cfg, arguments(parts, Path('out'), show_score=0.05))
    (hook,) = cfg.custom_hooks
    assert (hook.type, hook.score_threshold, hook.num_samples) == ('ShowHook', 0.05, 4)


def test_classification(
    tool: ModuleType, tmp_path: Path, classification: Path, shown: list[ShownCloud]
) -> None:
    """Title and points are those of the data and the model, which saw part of the points; other hooks stay."""
    out, cfg = tmp_path / 'out', Config.fromfile(classification)
    cfg.custom_hooks = [dict(type='EmptyCacheHook')]
    cfg.dump(classification)
    tool.main(arguments(classification, out, out=str(tmp_path / 'metrics.json')))
    assert (tmp_path / 'metrics.json').is_file()
    assert files(out) == [*PICTURES, 'clouds.html']

    dataset, model = DATASETS.build(cfg.test_dataloader.dataset), load(cfg, classification)
    for index, cloud in enumerate(shown):
        item = dataset[index]
        (sample,) = model.test_step(dict(inputs=dict(points=[item['inputs']['points']]), data_samples=None))
        batch = model.data_preprocessor(dict(inputs=dict(points=[item['inputs']['points']])))
        np.testing.assert_array_equal(cloud.points, batch['inputs']['points'][0].numpy())
        assert cloud.points.shape == (48, 3)
        _, true, predicted = cloud.title.splitlines()
        assert true == f'true: {CLASSES[int(item["data_samples"].gt_label)]}'
        assert predicted.startswith(f'predicted: {CLASSES[int(sample.pred_label)]} (')
        assert cloud.right == (sample.pred_label == item['data_samples'].gt_label)


def load(cfg: Config, path: Path) -> Any:
    """The model with the weights of its checkpoint."""
    model = MODELS.build({'data_preprocessor': cfg.data_preprocessor, **cfg.model})
    model.load_state_dict(torch.load(path.with_suffix('.pth'))['state_dict'])
    return model.eval()


def test_parts(tool: ModuleType, tmp_path: Path, parts: Path, shown: list[ShownCloud]) -> None:
    """True and predicted parts are those of the data and the model, point by point, under names of the category."""
    tool.main(arguments(parts, tmp_path / 'out'))
    assert files(tmp_path / 'out') == [*PICTURES, 'clouds.html']
    dataset = ProceduralParts(32, num_points=64, split='test')
    model = load(Config.fromfile(parts), parts)
    for index, cloud in enumerate(shown):
        item = dataset[index]
        category = item['inputs']['category']
        batch = dict(points=item['inputs']['points'][None], category=category[None])
        (sample,) = model(batch, [item['data_samples']], mode='predict')
        np.testing.assert_array_equal(cloud.points, item['inputs']['points'].numpy())
        np.testing.assert_array_equal(cloud.labels['true'], item['data_samples'].gt_part.numpy())
        np.testing.assert_array_equal(cloud.labels['predicted'], sample.pred_part.numpy())
        name = CLASSES[int(category)]
        assert tuple(cloud.names) == CLASS_PARTS[name]
        assert all(part.startswith(f'{name}/') for part in cloud.names.values())
        assert cloud.title.startswith(f'{name}, test[{index}]: mean IoU ')
    height, width = imread(tmp_path / 'out/cloud_000.png').shape[:2]
    assert width > 1.5 * height  # side by side


def test_no_more_than_there_are(
    tool: ModuleType, tmp_path: Path, parts: Path, shown: list[ShownCloud]
) -> None:
    """More clouds are asked for than the test has; one batch is not full."""
    options = {'test_dataloader.dataset.num_samples': 16, 'test_dataloader.batch_size': 5}
    tool.main(arguments(parts, tmp_path / 'out', show_num=100, cfg_options=options))
    assert len(shown) == 16
    assert [cloud.title.split(', ')[0] for cloud in shown] == list(CLASSES)


def test_nothing_without_the_flag(
    tool: ModuleType, tmp_path: Path, parts: Path, shown: list[ShownCloud]
) -> None:
    """A test that is not asked for pictures draws none."""
    tool.main(arguments(parts, None))
    assert not shown
    assert not list(tmp_path.rglob('*.png'))


def test_bad_flags(tool: ModuleType, tmp_path: Path, parts: Path) -> None:
    """No clouds, and a file in the place of the directory."""
    with pytest.raises(ConfigError, match='num_samples=0 shows nothing; give at least 1'):
        tool.main(arguments(parts, tmp_path / 'out', show_num=0))
    (tmp_path / 'file').touch()
    with pytest.raises(ConfigError, match="file' cannot be a directory, as that is a file; give another one"):
        tool.main(arguments(parts, tmp_path / 'file'))
