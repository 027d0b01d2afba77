"""Files of the package are small: one subject each."""

from __future__ import annotations

from pathlib import Path
from statistics import median

PACKAGE = Path(__file__).resolve().parents[1] / 'projects' / 'point_peft'

MEDIAN = 90
LONGEST = 260


def test_files_are_small() -> None:
    lines = {
        str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in PACKAGE.rglob('*.py')
    }
    too_long = {name: count for name, count in lines.items() if count > LONGEST}
    assert not too_long, 'split them by subject'
    assert median(lines.values()) <= MEDIAN
