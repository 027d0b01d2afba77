from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

PROGRAM = """
import argparse, logging, os, sys
from point_peft.cli.tool import run_tool
from point_peft.io.progress import track

def main(args):
    print('a line')
    sys.stdout.flush()
    list(track(range(3), description='progress'))
    logging.StreamHandler(sys.stdout).emit(logging.LogRecord('a', 20, '', 0, 'logged', None, None))
    os.mkdir(sys.argv[1])

sys.exit(run_tool(main, argparse.Namespace()))
"""


@pytest.mark.parametrize('output', ['>/dev/full', '>/dev/full 2>&1', '| true', '>&-'])
def test_output_that_cannot_be_written(tmp_path: object, output: str) -> None:
    """It costs the lines, not the work, and the exit code stays what it is."""
    command = shlex.join([sys.executable, '-c', PROGRAM, f'{tmp_path}/done'])
    shell = ['bash', '-c', f'set -o pipefail; {command} {output}']
    process = subprocess.run(shell, stderr=subprocess.PIPE, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
    assert 'Traceback' not in process.stderr
    assert process.stderr.count('the output cannot be written') in ([1] if output == '>/dev/full' else [0, 1])
    assert subprocess.run(['test', '-d', f'{tmp_path}/done']).returncode == 0
