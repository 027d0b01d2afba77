"""The tool that measures costs: what it prints and writes, and sizes that grow."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from toy_tools import run_python

from point_peft.experiments import costs, processes
from point_peft.experiments.contestant import Conditions
from point_peft.experiments.costs import memory_in_own_process
from point_peft.io.errors import PointPEFTError

TOOL = 'tools/analysis_tools/benchmark.py'
SMALL = ['--batch-size', '2', '--num-points', '256', '--repeats', '1', '--bank-size', '16', '--threads', '1']
TINY = [f'model.backbone.{name}' for name in ('init_cfg=None', 'embed_dim=24', 'depth=2', 'num_heads=2')]
FULL, PROBE = 'full/pointmae_mini_shapes', 'linear_probe/pointmae_mini_shapes'


@pytest.fixture
def measure(
    load_tool: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> Callable[..., str]:
    """Runs the tool on tiny models, without the processes that measure memory; what it printed."""
    tool = load_tool('analysis_tools/benchmark.py')
    monkeypatch.setattr(costs, 'memory_in_own_process', lambda *told: 3.0 if told[-1] == 'infer' else 9.0)

    def run(*arguments: Any) -> str:
        monkeypatch.setattr(sys, 'argv', [TOOL, *map(str, arguments), *SMALL])
        tool.main(tool.parse_args())
        return str(capsys.readouterr().out)

    return run


def test_costs(tmp_path: Path, measure: Callable[..., str]) -> None:
    """Two configs beside each other: the JSON is printed and written, with ratios to the first."""
    few = 'model.backbone.num_groups=8'
    output = measure(FULL, PROBE, '--json', tmp_path / 'cost.json', '--cfg-options', *TINY, few)
    written = (tmp_path / 'cost.json').read_text()
    found = json.loads(written)
    assert written.strip() in output and list(found['absolute']) == [FULL, PROBE]
    probe = found['ratios_to_first'][PROBE]
    assert probe['trainable'] < 0.2 and probe['train_step_ops'] < 1 and probe['infer_ops'] <= 1
    assert found['absolute'][PROBE]['infer_peak_mb'] == 3 and found['absolute'][PROBE]['peak_mb'] == 9
    assert found['machine']['others'] is None or 0 <= found['machine']['others'] <= 1


def test_bfloat16(tmp_path: Path, measure: Callable[..., str]) -> None:
    """Training steps convert weights and tokens, inference stays as it is, and the file says which it was."""
    found = []
    for dtype in ('float32', 'bfloat16'):
        measure(FULL, '--dtype', dtype, '--json', tmp_path / f'{dtype}.json', '--cfg-options', *TINY)
        found.append(json.loads((tmp_path / f'{dtype}.json').read_text()))
    exact, rough = (one['absolute'][FULL] for one in found)
    assert rough['train_step_ops'] > exact['train_step_ops'] and rough['infer_ops'] == exact['infer_ops']
    assert [one['settings']['dtype'] for one in found] == ['float32', 'bfloat16']


def test_growth(tmp_path: Path, measure: Callable[..., str]) -> None:
    """Every cost at every value of a key of the config, with exponents, in a table, a JSON file and a picture."""
    output = measure(
        PROBE, '--cfg-options', *TINY, '--grow', 'model.backbone.num_groups', 16, 8,
        '--json', tmp_path / 'a/growth.json', '--picture', tmp_path / 'growth.png',
    )  # fmt: skip
    found = json.loads((tmp_path / 'a/growth.json').read_text())
    assert found['size'] == 'model.backbone.num_groups' and found['values'] == [8, 16]
    assert found['settings']['cfg_options']['model.backbone.depth'] == '2'
    few, many = found['costs'][PROBE]
    assert many['infer_gflops'] > 1.5 * few['infer_gflops'] and many['infer_ops'] >= few['infer_ops'] > 50
    assert few['train_step_syncs'] == 1 and few['parameters'] < 500_000  # the options reached the model
    assert 0.5 < found['exponents'][PROBE]['infer_gflops'] < 1.5
    assert (tmp_path / 'growth.png').stat().st_size > 10_000
    assert '| model.backbone.num_groups | seconds of a step |' in output and '| exponent |' in output


def test_processes(tmp_path: Path, measure: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of processes grow as other sizes do; tests/test_experiments/test_processes.py measures."""

    def group(configs: list[str], conditions: Conditions, options: dict[str, str], count: int) -> dict:
        assert conditions.num_points == 256 and options['model.backbone.depth'] == '2'
        row = dict(train_step_s=1, train_step_spread=0.5, wait_share=0.1, sent_mb=count - 1, exchanges=1)
        return {config: {**row, 'trainable': 5} for config in configs}

    monkeypatch.setattr(processes, 'run_group', group)
    output = measure(
        FULL, PROBE, '--cfg-options', *TINY, '--grow', 'processes', 2, 1,
        '--json', tmp_path / 'processes.json', '--picture', tmp_path / 'processes.png',
    )  # fmt: skip
    found = json.loads((tmp_path / 'processes.json').read_text())
    assert found['values'] == [1, 2] and found['costs'][PROBE][1]['speedup'] == 2
    assert any('spans 50% of their median' in doubt for doubt in found['doubts'])
    assert '| processes | seconds of a step |' in output and (tmp_path / 'processes.png').is_file()


def test_folders(tmp_path: Path, measure: Callable[..., str]) -> None:
    """Numbers of files grow, too; tests/test_experiments/test_folders.py measures more of them."""
    output = measure(
        'linear_probe/pointmae_mini_folder', '--grow', 'files', 24, 20, '--json', tmp_path / 'files.json'
    )
    found = json.loads((tmp_path / 'files.json').read_text())
    assert found['values'] == [20, 24] and '| files | seconds to open it the first time |' in output


def test_options_reach_the_process_that_measures_memory() -> None:
    """Which says what is wrong with them, and else a number."""
    sizes = Conditions(batch_size=2, num_points=256, bank_size=16, threads=1)
    options = dict(option.split('=') for option in TINY)
    assert 0.1 < memory_in_own_process(PROBE, sizes, options, 'infer') < 200
    with pytest.raises(PointPEFTError, match="could not be measured.*got an unknown argument 'width'"):
        memory_in_own_process(PROBE, sizes, {'model.backbone.width': '1'})


@pytest.mark.parametrize(
    'growing, said',
    [
        (
            'widths 1 2',
            "'widths' is no size; give batch_size, num_points, bank_size, threads, processes, files or a key",
        ),
        ('batch_size 2 many', "'many': give a whole number of at least 1"),
        ('batch_size 4', 'give batch_size two values or more'),
        ('batch_size 4 4', 'give batch_size two values or more'),
    ],
)
def test_sizes_that_cannot_grow(
    growing: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Refused when they are read."""
    monkeypatch.setattr(sys, 'argv', [TOOL, '--grow', *growing.split()])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(Path(__file__).resolve().parents[2] / TOOL), run_name='__main__')
    assert end.value.code == 2 and said in capsys.readouterr().err.splitlines()[-1]


def test_a_picture_of_nothing() -> None:
    """There is none without growth."""
    code, output = run_python(TOOL, PROBE, '--picture', 'x.png')
    assert code == 1 and 'error: --picture draws how costs grow; give --grow, too.' in output
