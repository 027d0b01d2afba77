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
