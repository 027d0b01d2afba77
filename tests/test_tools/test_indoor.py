"""The tool that prepares rooms, where mmdet3d is missing; tests/test_detection/test_converters.py has the rest."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import warm_python

ROOT = Path(__file__).resolve().parents[2]
HAS_TIER = all(importlib.util.find_spec(name) for name in ('mmcv', 'mmdet', 'mmdet3d'))


@pytest.mark.skipif(HAS_TIER, reason='the detection tier is installed')
def test_without_the_tier(tmp_path: Path) -> None:
    """One sentence that names the command, before anything is looked for."""
    command = [sys.executable, 'tools/dataset_converters/indoor.py', 'sunrgbd', '--root-path', str(tmp_path)]
    done = warm_python.run(command)
    assert done.returncode == 1
    assert done.stderr.startswith('error: mmdet3d.SUNRGBDDataset')
    assert done.stderr.endswith('install it with: bash tools/setup_env.sh runtime detection\n')
    assert done.stderr.count('\n') == 1
    assert not list(tmp_path.iterdir())
