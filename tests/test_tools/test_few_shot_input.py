"""What the few-shot tool makes of its command line and of the data, without training."""

from __future__ import annotations

import argparse
import json
import pickle
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config, DictAction

from point_peft.engine.runtime.protocol import BEST_ON_TEST, LAST
from point_peft.experiments import CellRun, runner
from point_peft.io.errors import ConfigError, DatasetError, DatasetNotFoundError, MissingFileError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'configs/point_peft/pointmae_mini_fewshot_shapes.py'
SMALL = [f'{kind}_dataloader.dataset.dataset.num_samples=160' for kind in ('train', 'test')]
SMALL += ['test_dataloader.dataset.num_queries=4']
"""Options for 11 objects per class."""


@pytest.fixture(scope='module')
def tool(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    """The script as a module."""
    return load_tool('few_shot.py')


@pytest.fixture
def stubbed(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The configs of the folds that would be trained; the first has an accuracy of 60, the next of 70 and so on."""
    monkeypatch.chdir(ROOT)
    seen: list[Any] = []

    def train(run: CellRun, **_: Any) -> None:
        cfg = Config.fromstring(run.config_text, '.py')
        seen.append(cfg)
        row = dict(epoch=cfg.train_cfg.max_epochs, val={}, test=dict(overall_accuracy=50.0 + 10 * len(seen)))
        best = dict(row, test=dict(overall_accuracy=80.0))
        rows = [dict(row, label=LAST), dict(best, label=BEST_ON_TEST)]
        run.work_dir.mkdir(parents=True)
        run.config_file.write_text(run.config_text)
        costs = dict(trainable_parameters=1, adapter_mb=0.5, fitted_mb=0.0, train_seconds=1.0)
        (run.work_dir / 'protocol.json').write_text(json.dumps(dict(rows=rows, **costs)))

    monkeypatch.setattr(runner, 'train_cell', train)
    return seen


def arguments(work_dir: Path, options: Sequence[str] = (), **changes: Any) -> argparse.Namespace:
    """A parsed command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='*', action=DictAction, default={})
    parsed = parser.parse_args(['--cfg-options', *options])
    defaults = dict(config=CONFIG, ways=3, shots=4, folds=2, work_dir=work_dir, device='cpu', jobs=1)
    return argparse.Namespace(**{**defaults, **changes}, cfg_options=parsed.cfg_options)


def results_of(work_dir: Path) -> list[dict[str, Any]]:
    """What the tool wrote."""
    return [json.loads(line) for line in (work_dir / 'results.jsonl').read_text().splitlines()]


def test_other_settings_are_refused(tool: ModuleType, stubbed: list[Any], tmp_path: Path) -> None:
    """Results are not mixed with those of another learning rate or number of shots."""
    work_dir = tmp_path / 'work'
    tool.main(arguments(work_dir, SMALL))
    tool.main(arguments(work_dir, SMALL))  # the same again is no difference
    before = results_of(work_dir)
    for change, message in (
        (
            dict(options=[*SMALL, 'optim_wrapper.optimizer.lr=0.02']),
            r'optimizer\.lr=0\.004 where this one has 0\.02',
        ),
        (
            dict(options=SMALL, shots=5),
            r'num_shots=4 where this one has 5|batch_size=12 where this one has 15',
        ),
        (dict(options=[*SMALL, 'optim_wrapper.optimizer.eps=1e-7']), r'has no optim_wrapper\.optimizer\.eps'),
    ):
        with pytest.raises(ConfigError, match=rf'fold_0/config\.py.*({message}).*another --work-dir'):
            tool.main(arguments(work_dir, **change))
    assert results_of(work_dir) == before and len(stubbed) == 2


def test_fold_without_config_is_refused(tool: ModuleType, stubbed: list[Any], tmp_path: Path) -> None:
    """Its result could be one of any settings."""
    run = tmp_path / 'cells' / Path(CONFIG).stem / 'fold_1' / 'run'
    run.mkdir(parents=True)
    with pytest.raises(
        ConfigError, match=r"fold_1/run' exists, but not its config '.*config\.py'; give another"
    ):
        tool.main(arguments(tmp_path, SMALL))
    assert not stubbed and not list(run.iterdir())


@pytest.mark.parametrize(
    ('changes', 'options', 'error', 'message'),
    [
        (dict(folds=11), [], ConfigError, r'--folds 11 is out of range; the protocol has the folds 0 to 9'),
        (dict(folds=0), [], ConfigError, r'--folds 0 is out of range'),
        (dict(ways=17), [], ValueError, r'num_ways=17 exceeds the 16 classes of .*; lower num_ways'),
        (dict(ways=1), [], ValueError, r'num_ways=1, .*: a fold needs at least 2 ways and 1 shot'),
        (dict(shots=12), [], DatasetError, r"class '\w+' has 11 objects in .*num_shots=12; lower num_shots"),
        (
            dict(config='configs/full/pointmae_mini_shapes.py'),
            [],
            ConfigError,
            r'the train_dataloader of .* has no few-shot dataset; use a config such as',
        ),
        ({}, ['train_dataloader.dataset.num_way=4'], ConfigError, r"did you mean 'num_ways'"),
        ({}, ['train_dataloader.dataset.seed=1'], ConfigError, r'training has the classes .* and test'),
        ({}, ['default_hooks.protocol=None'], ConfigError, r'has no default_hooks\.protocol'),
    ],
)
def test_bad_input(
    tool: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    options: list[str],
    error: type[Exception],
    message: str,
) -> None:
    """Refused before anything is trained or written."""
    monkeypatch.chdir(ROOT)
    small = [] if 'config' in changes else SMALL
    with pytest.raises(error, match=message):
        tool.main(arguments(tmp_path / 'work', [*small, *options], **changes))
    assert not (tmp_path / 'work').exists()


@pytest.fixture
def pickles(tmp_path: Path) -> Path:
    """Two of the published folds, very small."""
    root = tmp_path / 'ModelNetFewshot' / '3way_4shot'
    root.mkdir(parents=True)
    points = np.random.default_rng(0).normal(size=(16, 6)).astype(np.float32)
    objects = [(points, label, label + 7) for label in range(3) for _ in range(4)]
    for fold in range(2):
        (root / f'{fold}.pkl').write_bytes(pickle.dumps(dict(train=objects, test=objects)))
    return root.parent


def test_missing_pickles(
    tool: ModuleType, pickles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory, or the file of the third fold, is missed before the first fold is trained."""
    monkeypatch.chdir(ROOT)
    config = 'configs/full/pointmae_fewshot_modelnet40.py'
    weights = ['model.backbone.init_cfg=None']
    with pytest.raises(
        MissingFileError, match=r"FewShotModelNet40 not found: '/nowhere'.*Point-BERT.*data_root"
    ):
        tool.main(arguments(tmp_path / 'work', [*weights, 'data_root=/nowhere'], config=config))
    with pytest.raises(DatasetNotFoundError, match=r'3way_4shot/2\.pkl'):
        options = [*weights, f'data_root={pickles}']
        tool.main(arguments(tmp_path / 'work', options, config=config, folds=3))
    assert not (tmp_path / 'work').exists()


def test_published_pickles_reach_the_training(
    tool: ModuleType, stubbed: list[Any], pickles: Path, tmp_path: Path
) -> None:
    """The config of each fold reads its own file, with as many outputs as ways."""
    config = 'configs/full/pointmae_fewshot_modelnet40.py'
    options = ['model.backbone.init_cfg=None', f'data_root={pickles}']
    tool.main(arguments(tmp_path / 'work', options, config=config))
    for fold, cfg in enumerate(stubbed):
        for loader in (cfg.train_dataloader, cfg.test_dataloader):
            assert (loader.dataset.fold, loader.dataset.num_ways, loader.dataset.num_shots) == (fold, 3, 4)
        assert cfg.model.head.num_classes == 3 and cfg.train_dataloader.batch_size == 12
    assert [result['last'] for result in results_of(tmp_path / 'work')] == [60, 70]
    table = (tmp_path / 'work' / 'table.md').read_text()
    assert '| 65.00 +- 7.07 |  | 80.00 +- 0.00 |' in table


def test_one_fold_has_no_deviation(tool: ModuleType) -> None:
    """A dash, not a zero."""
    table = tool.format_table([dict(draw='fold 0', last=50.0, best_on_test=60.0)])
    assert re.search(r'^standard deviation +- +-$', table, re.MULTILINE)
