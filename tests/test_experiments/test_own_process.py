"""Answers of processes of their own."""

from __future__ import annotations

import pytest

from point_peft.experiments.own_process import answer_of
from point_peft.io.errors import PointPEFTError


def test_the_last_line_counts() -> None:
    """Whatever else a program prints."""
    program = 'import json, sys; print("loading"); print(json.dumps([sys.argv[1], 2]))'
    assert answer_of(program, 'one', 'nothing came') == ['one', 2]


@pytest.mark.parametrize(
    ('program', 'message'),
    [
        ('raise SystemExit("no room")', r'nothing came: no room \(its process ended with 1\)'),
        ('raise SystemExit(3)', r'nothing came: it said nothing \(its process ended with 3\)'),
    ],
)
def test_a_failure_says_why(program: str, message: str) -> None:
    """The last line of what it said, and how it ended."""
    with pytest.raises(PointPEFTError, match=message):
        answer_of(program, '', 'nothing came')
