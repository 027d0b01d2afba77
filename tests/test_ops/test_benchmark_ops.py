"""The benchmark of the operations runs, reports every back end and refuses unknown operations."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'analysis_tools' / 'benchmark_ops.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('benchmark_ops', TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_every_operation_is_timed_against_its_plain_form(tool, tmp_path, capsys):
    path = tmp_path / 'ops.json'
    rows = tool.main(
        [
            '--points',
            '64',
            '128',
            '--batch',
            '2',
            '--samples',
            '16',
            '--neighbors',
            '4',
            '--min-run-time',
            '0.001',
            '--device',
            'cpu',
            '--json',
            str(path),
        ]
    )
    report = json.loads(path.read_text())
    assert len(report['timings']) == len(rows) and report['settings']['samples'] == 16
    for op in tool.OPS:
        for num_points in (64, 128):
            case = [row for row in rows if (row.op, row.num_points) == (op, num_points)]
            assert case[0].ratio == 1 and case[-1].backend == 'point_peft'
            assert all(row.milliseconds > 0 for row in case)
    assert 'point_peft' in capsys.readouterr().out


def test_chamfer_cases_that_would_fill_the_memory_are_left_out(tool, monkeypatch):
    monkeypatch.setattr(tool, 'MAX_PAIRS', 64 * 64 - 1)
    assert tool.main(['--points', '64', '--batch', '1', '--ops', 'chamfer', '--device', 'cpu']) == []


def test_unknown_operation_is_refused(tool, capsys):
    with pytest.raises(SystemExit):
        tool.main(['--ops', 'nearest'])
    assert "invalid choice: 'nearest'" in capsys.readouterr().err
