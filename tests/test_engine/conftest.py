"""Gives every test a pre-trained file of the toy model."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_engine import write_pretrained


@pytest.fixture
def pretrained(tmp_path: Path) -> Path:
    """A pre-trained file of the toy's backbone."""
    return write_pretrained(tmp_path / 'pretrained.pth')
