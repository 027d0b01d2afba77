"""The tool: choosing, running, taking up, reporting."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from point_peft.experiments import cells, comparison
from point_peft.io.errors import ConfigError, PointPEFTError

ROOT = Path(__file__).resolve().parents[2]
FAKE = Path(__file__).with_name('fake_train.py')
LR = 'optim_wrapper.optimizer.lr'

MATRIX = """
title = 'a test'
methods = {'full': 'configs/full/pointmae_mini_shapes.py', 'lora': 'configs/lora/pointmae_mini_shapes.py'}
reference = 'full'
settings = {'a': {}, 'b': {}}
seeds = (0, 1, 2)
options = {'train_cfg.max_epochs': 2}
"""

SMALL = MATRIX.replace(", 'b': {}", '').replace('(0, 1, 2)', '(0, 1)')
"""One setting, two seeds."""

CANDIDATES = f"candidates = [{{'{LR}': 3e-3}}, {{'{LR}': 1e-3}}]\n"

STOPPABLE = """
import runpy, sys
from pathlib import Path
matrix, out, fake = sys.argv[1:]
sys.argv = ['run.py', matrix, '--work-dir', out, '--devices', 'cpu']
space = runpy.run_path('tools/experiments/run.py')
space['main'].__globals__['TRAIN'] = Path(fake)
sys.exit(space['run_tool'](space['main'], space['parse_args']()))
"""
"""The tool in a process of its own, with the fake training."""


@pytest.fixture
def tool(load_tool: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.chdir(ROOT)
    module = load_tool('experiments/run.py')
    monkeypatch.setattr(module, 'TRAIN', FAKE)
    return module


def arguments(tmp_path: Path, content: str = MATRIX, **changes: object) -> Namespace:
    (tmp_path / 'matrix.py').write_text(content)
    defaults = dict(settings=None, jobs=2, devices=['cpu'], cfg_options={})
    return Namespace(matrix=tmp_path / 'matrix.py', work_dir=tmp_path / 'out', **{**defaults, **changes})


def records(tmp_path: Path) -> list[dict]:
    return [json.loads(line) for line in (tmp_path / 'out/results.jsonl').read_text().splitlines()]


def test_whole(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Candidates are tried with a seed of their own, the better one is used, and the table has the known numbers."""
    tool.main(arguments(tmp_path, MATRIX + CANDIDATES))
    lines = records(tmp_path)
    tried = [line for line in lines if line['candidate'] is not None]
    final = [line for line in lines if line['candidate'] is None]
    assert len(tried) == 2 * 2 * 2 and len(final) == 2 * 2 * 3
    assert all('last' not in line for line in tried)  # nothing of the test set is kept of these
    assert {line['options'][LR] for line in final} == {1e-3}
    assert all(line['commit'] and line['torch'] and line['device'] == 'cpu' for line in final)
    table = (tmp_path / 'out/table.md').read_text()
    assert '| full | 1 000 | 80.00 +- 1.00 | 80.00 +- 1.00 | 80.00 +- 1.00 |  |  | 2 | 0.75 |' in table
    assert (
        '| lora | 1 000 | 90.00 +- 1.00 | 90.00 +- 1.00 | 90.00 +- 1.00 | +10.00* | +10.00 to +10.00 |'
        in table
    )
    assert 'the same 2 candidates' in table and table in capsys.readouterr().out
    assert (tmp_path / 'out/picture.png').stat().st_size > 10_000

    times = {path: path.stat().st_mtime_ns for path in (tmp_path / 'out/cells').rglob('*')}
    prepared: list[str] = []
    monkeypatch.setattr(
        comparison,
        'prepare_cell',
        lambda cell, root: prepared.append(cell.name) or cells.prepare_cell(cell, root),
    )
    tool.main(arguments(tmp_path, MATRIX + CANDIDATES))  # a finished comparison is only reported
    assert sorted(prepared) == sorted(line['cell'] for line in lines)  # each once
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / 'out/cells').rglob('*')} == times


def test_chosen_once(tool: ModuleType, tmp_path: Path) -> None:
    """With ``chosen_in``, one setting's validation split chooses for all, also when another alone is run."""
    content = MATRIX.replace('(0, 1, 2)', '(0,)') + CANDIDATES + "chosen_in = 'a'\n"
    tool.main(arguments(tmp_path, content, settings=['b']))
    lines = records(tmp_path)
    assert {line['setting'] for line in lines if line['candidate'] is not None} == {'a'}
    assert {line['setting'] for line in lines if line['candidate'] is None} == {'b'}
    assert {line['options'][LR] for line in lines if line['candidate'] is None} == {1e-3}
    assert "validation split of 'a'" in (tmp_path / 'out/table.md').read_text()


def test_records_alone(tool: ModuleType, tmp_path: Path) -> None:
    """A comparison goes on from its records without the runs' directories; those of other settings are refused."""
    tool.main(arguments(tmp_path, SMALL))
    shutil.rmtree(tmp_path / 'out/cells')
    file = tmp_path / 'out/results.jsonl'
    file.write_text(file.read_text().replace('"options": {', '"options": {"data_root": "/elsewhere", '))
    tool.main(arguments(tmp_path, SMALL))
    assert not (tmp_path / 'out/cells').exists()
    with pytest.raises(
        ConfigError, match=r'record of a/full/seed_0 .* has options\.train_cfg\.max_epochs=2 where'
    ):
        tool.main(arguments(tmp_path, SMALL.replace("max_epochs': 2", "max_epochs': 3")))


def test_other_task(tool: ModuleType, tmp_path: Path) -> None:
    """What ``ForgettingHook`` measured gets columns of its own, of the reported runs alone."""
    hook = dict(type='ForgettingHook', train={'type': 'ProceduralShapes'}, test={'type': 'ProceduralShapes'})
    tool.main(arguments(tmp_path, SMALL + CANDIDATES + f"options = {{'custom_hooks': [{hook!r}]}}\n"))
    table = (tmp_path / 'out/table.md').read_text()
    assert '| MB | other task before | other task after | other task refitted |' in table
    assert '| 88.00 +- 0.00 | 60.50 +- 0.71 | 70.00 +- 0.00 |' in table
    assert all(('other_task' in line) == (line['candidate'] is None) for line in records(tmp_path))


def test_stopped_and_taken_up(tool: ModuleType, tmp_path: Path) -> None:
    """A run that is stopped in its second epoch goes on from the first; finished ones are not trained again."""
    args = arguments(tmp_path, SMALL, jobs=1)
    hold = args.work_dir / 'cells/a/hold'
    hold.parent.mkdir(parents=True)
    hold.touch()
    state = args.work_dir / 'cells/a/full/seed_0/run/epochs'
    command = [sys.executable, '-c', STOPPABLE, str(args.matrix), str(args.work_dir), str(FAKE)]
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as process:
        while not state.exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert state.read_text() == '1'
    hold.unlink()
    tool.main(args)
    assert (state.parent / 'started_at_1').exists()
    assert len(records(tmp_path)) == 4


def test_failure(tool: ModuleType, tmp_path: Path) -> None:
    """A training that fails is named with its last lines; what is finished is kept."""
    bad = f"dict(config='configs/full/pointmae_mini_shapes.py', options={{'{LR}': 2.0}})"
    content = MATRIX.replace("'lora': 'configs/lora/pointmae_mini_shapes.py'", f"'bad': {bad}")
    with pytest.raises(PointPEFTError, match=r'a/bad/seed_0 stopped with exit code 1(.|\n)*rate too high'):
        tool.main(arguments(tmp_path, content, jobs=1))
    assert 'a/full/seed_0' in {line['cell'] for line in records(tmp_path)}


def test_other_config_is_refused(tool: ModuleType, tmp_path: Path) -> None:
    """A matrix that changed does not mix with what an earlier one left."""
    tool.main(arguments(tmp_path, SMALL))
    with pytest.raises(
        ConfigError,
        match=r'config\.py.* of an earlier run has \S+=.* where this one has .*another --work-dir',
    ):
        tool.main(arguments(tmp_path, SMALL.replace("max_epochs': 2", "max_epochs': 3")))


def test_arguments(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Zero jobs and a device that is not there are refused."""
    monkeypatch.setattr(sys, 'argv', ['run.py', 'matrix.py', '--jobs', '0'])
    with pytest.raises(SystemExit):
        tool.parse_args()
    assert "'0': give a whole number of at least 1" in capsys.readouterr().err
    with pytest.raises(ConfigError, match='--devices 99 is not there'):
        tool.main(arguments(tmp_path, devices=['99']))


def test_real_training(tmp_path: Path) -> None:
    """With the real tool: two methods, two seeds, on a few clouds."""
    options = {
        'train_cfg.max_epochs': 1,
        **{f'{name}_dataloader.dataset.num_samples': 32 for name in ('train', 'val', 'test')},
        'data_preprocessor.num_points': 256,
        'model.backbone.num_groups': 16,
    }
    methods = {method: f'configs/{method}/pointmae_mini_shapes.py' for method in ('full', 'linear_probe')}
    content = f"methods = {methods!r}\nreference = 'full'\nseeds = (0, 1)\noptions = {options!r}\n"
    (tmp_path / 'matrix.py').write_text(content)
    command = [sys.executable, 'tools/experiments/run.py', str(tmp_path / 'matrix.py'), '--devices', 'cpu']
    command += ['--work-dir', str(tmp_path / 'out')]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    lines = records(tmp_path)
    assert len(lines) == 4 and all(
        line['train_seconds'] > 0 and line['peak_memory_mb'] > 50 for line in lines
    )
    trained = {line['method']: line['trainable_parameters'] for line in lines}
    assert trained['linear_probe'] < trained['full'] / 100
