"""Lets the tests of this directory import ``rooms``, and says why those of the detection tier are skipped."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from point_peft.ops.mmcv_extension import supply_extension

sys.path.insert(0, str(Path(__file__).resolve().parent))
supply_extension()  # tests import mmdet3d themselves

HAS_TIER = all(importlib.util.find_spec(name) for name in ('mmcv', 'mmdet', 'mmdet3d'))


@pytest.fixture(scope='session')
def detection_tier() -> None:
    """Skip where mmdet3d is not installed."""
    if not HAS_TIER:
        pytest.skip('needs the detection tier: bash tools/setup_env.sh runtime detection')
