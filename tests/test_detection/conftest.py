"""Lets the tests of this directory import its other modules; the scope of every run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mmengine.registry import DefaultScope

from point_peft.ops.mmcv_extension import supply_extension

sys.path.insert(0, str(Path(__file__).resolve().parent))
supply_extension()  # tests import mmdet3d themselves


@pytest.fixture
def scope() -> Iterator[None]:
    """Types without a prefix are this project's, as in every run."""
    with DefaultScope.overwrite_default_scope('point_peft'):
        yield
