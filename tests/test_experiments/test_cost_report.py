"""Costs of methods beside each other."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from toy_tools import run_python

from point_peft.experiments import costs
from point_peft.experiments.contestant import Conditions
from point_peft.experiments.cost_report import accuracies, cost_table, plot_costs
from point_peft.experiments.costs import ratios
from point_peft.io.errors import ConfigError, MissingFileError

FULL = dict(
    trainable=20000, adapter_mb=8.0, bank_mb=0.0, train_step_gflops=3.0, infer_gflops=1.0,
    train_step_ops=900, infer_ops=300, train_step_s=0.5, peak_mb=100.0, infer_s=0.1, infer_peak_mb=50.0,
)  # fmt: skip
LORA = {**FULL, 'trainable': 1000, 'adapter_mb': 0.4, 'bank_mb': 0.1, 'infer_ops': 360, 'train_step_s': 0.3}
LORA['peak_mb'] = 60.0
COSTS = dict(full=FULL, lora=LORA)


def comparison(folder: Path, *settings: str) -> Path:
    """The records of a comparison: two draws of two methods, and one run that chose a candidate."""
    lines = [
        dict(cell=f'{setting}/{method}/{draw}', setting=setting, method=method, draw=draw, candidate=candidate,
             config=f'configs/{method}/pointmae_mini_modelnet10.py', last=80.0 + draw)
        for setting in settings for method in ('full', 'lora') for draw, candidate in ((0, None), (2, None), (9, 1))
    ]  # fmt: skip
    (folder / 'results.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))
    return folder


def test_accuracies_of_a_comparison(tmp_path: Path) -> None:
    """Reported draws count, by the name of the method's part; settings are not mixed."""
    assert accuracies(comparison(tmp_path, '')) == {method: (81.0, pytest.approx(2**0.5)) for method in COSTS}
    with pytest.raises(ConfigError, match='has the settings few, many; give a comparison with one'):
        accuracies(comparison(tmp_path, 'few', 'many'))
    with pytest.raises(MissingFileError, match='results.jsonl.* does not exist'):
        accuracies(tmp_path / 'elsewhere')


def test_table_and_picture() -> None:
    """Sizes as they are, costs as ratios; a method without an accuracy has an empty cell and no marker."""
    relative = ratios(COSTS, 'full')
    table = cost_table(COSTS, relative, Conditions(), 'pointmae_scanobjnn', {'lora': (81.04, 1.2)})
    first, second = table.splitlines()[-2:]
    assert first == '| full | 20 000 | 8.00 | 0.00 ' + '| 1.00 ' * 8 + '|  |'
    assert (
        second
        == '| lora | 1 000 | 0.40 | 0.10 | 1.00 | 1.00 | 1.00 | 1.20 | 0.60 | 1.00 | 0.60 | 1.00 | 81.0 ± 1.2 |'
    )
    for found, markers in (({}, 2), ({'lora': (81.0, None)}, 1)):
        axes = plot_costs(relative, COSTS, found, title='x').axes
        assert [len(place.collections) for place in axes] == [markers] * 2
    assert 'accuracy' in axes[0].get_ylabel()


def test_tool(tmp_path: Path) -> None:
    """Measures two methods, full fine-tuning first; a mistyped method is refused before."""
    tool = 'tools/analysis_tools/compare_methods.py'
    small = ('--batch-size', 2, '--num-points', 1024, '--repeats', 1, '--bank-size', 16, '--threads', 1)
    code, output = run_python(tool, 'linear_probe', '--on', 'pointmae_mini_shapes', *small, '--out', tmp_path)
    assert code == 0, output
    found = json.loads((tmp_path / 'methods.json').read_text())
    assert list(found['absolute']) == ['full', 'linear_probe']
    assert all(row['infer_peak_mb'] <= row['peak_mb'] for row in found['absolute'].values())
    probe = found['ratios']['linear_probe']
    assert probe['train_step_ops'] < 0.8 and 'others' in found['machine']
    assert probe['train_step_gflops'] < 0.5 and probe['trainable'] < 0.01 and probe['adapter_mb'] < 0.01
    assert (tmp_path / 'methods.md').is_file() and (tmp_path / 'methods.png').is_file()
    code, output = run_python(tool, 'lorra', '--out', tmp_path)
    assert code == 1 and "there is no method 'lorra'; there are " in output
    for named, place, said in (
        ('lora', 'pointmae_mini_shapes_part', 'costs are measured on classification and detection'),
        ('gaprompt', 'pointmae_votenet_scannet', 'GAPrompt moves the points'),
        ('lora', 'nothing_here', 'does not exist'),
    ):
        code, output = run_python(tool, named, '--on', place, '--out', tmp_path)
        assert code == 1 and said in output and 'Traceback' not in output


def test_times_are_compared_repeat_by_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slows down between repeats changes the medians' ratio, not the ratios' median."""
    seconds = iter([9.0] * 4 + [1.0, 1.0, 0.5, 0.5] + [1.0, 1.0, 0.5, 0.5] + [8.0, 8.0, 4.0, 4.0])
    monkeypatch.setattr(costs, 'timed', lambda action, device: next(seconds))
    idle: Any = SimpleNamespace(train_step=lambda: None, infer=lambda: None)
    rows = costs.measure_times({'full': idle, 'lora': idle}, Conditions(repeats=3))
    assert rows['lora']['train_step_s'] == 0.5 and rows['full']['train_step_s'] == 1
    assert rows['lora']['train_step_relative_spread'] == 0 < rows['lora']['train_step_spread']
    slow = {name: {**row, 'train_step_s': 3.0} for name, row in rows.items()}
    assert ratios(slow, 'full')['lora'] == {'train_step_s': 0.5, 'infer_s': 0.5}
