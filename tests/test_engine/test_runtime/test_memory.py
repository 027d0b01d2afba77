"""The largest size of a process is its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

MB = 2**20

PROGRAM = """
from point_peft.engine.runtime.memory import peak_memory, restart_peak
before = peak_memory()
large = bytearray(100 * 2**20)
with_it = peak_memory()
del large
print(before, with_it, restart_peak())
"""


@pytest.mark.skipif(not Path('/proc/self/clear_refs').exists(), reason='not here')
def test_neither_the_parent_nor_what_was_before_counts() -> None:
    """A process of 600 MB starts one that takes 100 MB and gives them back."""
    held = np.ones(75 * MB)
    done = subprocess.run([sys.executable, '-c', PROGRAM], capture_output=True, text=True, check=True)
    before, with_it, after = map(int, done.stdout.split())
    assert held.nbytes == 600 * MB > before
    assert 95 * MB < with_it - before < 120 * MB
    assert after < with_it - 80 * MB
