"""The benchmark of the operations runs, reports every back end and refuses unknown operations."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch

from point_peft.cli.tool import run_tool

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
    args = tool.parse_args(
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
    rows = tool.main(args)
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
    args = tool.parse_args(['--points', '64', '--batch', '1', '--ops', 'chamfer', '--device', 'cpu'])
    assert tool.main(args) == []


def test_unknown_operation_is_refused(tool, capsys):
    with pytest.raises(SystemExit):
        tool.parse_args(['--ops', 'nearest'])
    assert "invalid choice: 'nearest'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--device', 'gpu'], "argument --device: 'gpu' is no device; give cpu, cuda, cuda:1 ... or auto."),
        (['--device', 'cuda:99'], 'error: --device cuda:99 was given, but '),
        (['--device', 'cpu', '--json', str(TOOL.parent)], 'is a directory; give the name of a file.'),
    ],
)
def test_device_and_file_are_checked_before_anything_is_timed(tool, monkeypatch, capsys, words, message):
    monkeypatch.setattr(tool, 'measure', None)
    if words[1] == 'cuda:99':
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
        monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    try:
        code = run_tool(tool.main, tool.parse_args(words))
    except SystemExit as stopped:
        code = stopped.code
    error = capsys.readouterr().err
    assert code in (1, 2) and message in error
