"""The tutorial's code, run as it stands in docs/tutorial_new_dataset_and_task.md."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_blocks import code_blocks, write_files

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / 'docs/tutorial_new_dataset_and_task.md'
FILES = ['make_data.py', 'solids.py', 'classify.py', 'area.py', 'measure.py']


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A directory that has what the tutorial takes from the repository, and its files."""
    for name in ('configs', 'tools', 'checkpoints', 'projects'):
        (tmp_path / name).symlink_to(ROOT / name)
    written = write_files(code_blocks(TUTORIAL, 'python'), tmp_path)
    assert written == [tmp_path / 'my_project' / name for name in FILES]
    return tmp_path


def test_both_parts(checkout: Path) -> None:
    """All commands succeed; the dataset is learned, and the new task reports its own metric."""
    script = '\n'.join(['set -e', *code_blocks(TUTORIAL, 'bash')])
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'COLUMNS': '100', 'DISPLAY': ''}
    environment['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}{environment["PATH"]}'
    done = subprocess.run(
        ['bash', '-c', script.replace('PYTHONPATH=.', 'PYTHONPATH=.:projects')],
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert 'best on val' in done.stdout
    classified = json.loads((checkout / 'work_dirs/classify/protocol.json').read_text())
    assert classified['rows'][0]['test']['overall_accuracy'] > 90
    measured = json.loads((checkout / 'work_dirs/measure/protocol.json').read_text())
    tested = json.loads((checkout / 'work_dirs/measure/test.json').read_text())
    assert tested['r2'] == pytest.approx(measured['rows'][0]['test']['r2'], abs=1e-3)
    assert 50 < tested['r2'] <= 100
    assert (checkout / 'work_dirs/browse_dataset/train_000.png').is_file()
