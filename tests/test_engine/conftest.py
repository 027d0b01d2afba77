"""Makes the toy model importable, and gives every test a pre-trained file of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def pretrained(tmp_path: Path) -> Path:
    """A pre-trained file of the toy's backbone."""
    from toy_engine import write_pretrained

    return write_pretrained(tmp_path / 'pretrained.pth')
