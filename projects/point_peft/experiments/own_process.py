"""Measurements in processes of their own, as what one leaves in memory hides what the next one needs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from ..io.errors import PointPEFTError


def answer_of(program: str, told: str, failure: str) -> Any:
    """The JSON in the last line that a program prints.

    Args:
        program (str): Of Python.
        told (str): Its argument.
        failure (str): What did not come about if it fails, as the beginning of a sentence.

    Raises:
        PointPEFTError: It failed; with the last line of what it said, and how it ended.
    """
    done = subprocess.run([sys.executable, '-c', program, told], check=False, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ['it said nothing']
        raise PointPEFTError(f'{failure}: {said[-1]} (its process ended with {done.returncode})')
    return json.loads(done.stdout.strip().splitlines()[-1])
