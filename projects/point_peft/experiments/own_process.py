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
        PointPEFTError: It failed; with the last line of what it said.
    """
    done = subprocess.run([sys.executable, '-c', program, told], check=False, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f'it said nothing and ended with {done.returncode}']
        raise PointPEFTError(f'{failure}: {said[-1]}')
    return json.loads(done.stdout.strip().splitlines()[-1])
