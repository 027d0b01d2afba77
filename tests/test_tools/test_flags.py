"""Numbers on the command line of the tools that measure and build: in range, or one sentence."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


@pytest.mark.parametrize(
    'tool, flag',
    [
        ('build_memory_bank.py', '--batch-size'),
        *(
            ('analysis_tools/benchmark.py', flag)
            for flag in ('--batch-size', '--num-points', '--bank-size', '--repeats', '--threads')
        ),
        *(
            ('analysis_tools/benchmark_ops.py', flag)
            for flag in ('--points', '--batch', '--samples', '--neighbors', '--threads')
        ),
    ],
)
@pytest.mark.parametrize('value', ['0', '-3', '2.5', 'many'])
def test_counts(
    tool: str, flag: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Refused when they are read, by the name of the flag."""
    monkeypatch.setattr(sys, 'argv', [tool, f'{flag}={value}'])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(TOOLS / tool), run_name='__main__')
    error = capsys.readouterr().err.splitlines()[-1]
    assert end.value.code == 2
    assert f"argument {flag}: '{value}': give a whole number of at least 1." in error


@pytest.mark.parametrize(
    'tool, arguments',
    [
        ('test.py', 'CONFIG ~/a --out ~/b --show-dir ~/c'),
        ('infer.py', 'CONFIG ~/a ~/b --png ~/c --html ~/d'),
        ('build_memory_bank.py', 'CONFIG --out ~/a'),
        ('model_converters/join_adapter.py', 'CONFIG ~/a ~/b'),
        ('model_converters/publish_model.py', '~/a ~/b'),
        ('model_converters/convert_official.py', '~/a ~/b --prior ~/c --memory-bank ~/d'),
        ('analysis_tools/analyze_logs.py', '~/a ~/b --out ~/c'),
        ('analysis_tools/benchmark.py', 'CONFIG --json ~/a --picture ~/b'),
        ('analysis_tools/benchmark_ops.py', '--json ~/a'),
        ('analysis_tools/probe.py', 'CONFIG --checkpoint ~/a --out ~/b'),
        ('dataset_converters/collect_meshes.py', '~/a ~/b --up z'),
        ('dataset_converters/indoor.py', 's3dis --root-path ~/a --out-dir ~/b'),
        ('experiments/run.py', '~/a --work-dir ~/b'),
        ('misc/browse_dataset.py', 'CONFIG --out-dir ~/a'),
        ('few_shot.py', 'CONFIG --work-dir ~/a'),
    ],
)
def test_home_directory(tool: str, arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell leaves a ``~`` in quotes to the tool."""
    monkeypatch.setattr(sys, 'argv', [tool, *arguments.split()])
    monkeypatch.setenv('HOME', '/home/me')
    args = runpy.run_path(str(TOOLS / tool), run_name='tool')['parse_args']()
    assert str(vars(args)).count('/home/me/') == arguments.count('~')
    assert '~' not in str(vars(args))
