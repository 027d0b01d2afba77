"""A complete environment skips nothing for a missing package, and the tests of the detection tier are all run in it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import warm_python

ROOT = Path(__file__).resolve().parents[1]
TESTS = """
import pytest

@pytest.mark.parametrize('reason', ['needs a GPU', 'needs the detection tier', 'torch_quickfps is not installed'])
def test_something(reason):
    pytest.skip(reason)

@pytest.mark.xfail
def test_failure():
    assert False
"""
FILE = (
    "import pytest\npytest.importorskip('mmdet3d_that_is_not_there', reason=\"could not import 'mmdet3d'\")\n"
)
PROGRAM = (
    f'import sys, pytest; sys.path.insert(0, {str(ROOT / "tests")!r}); sys.exit(pytest.main(sys.argv[1:]))'
)


@pytest.mark.parametrize(
    ('tier', 'outcome'),
    [
        (None, '4 skipped, 1 xfailed'),
        ('core', '1 failed, 3 skipped, 1 xfailed'),
        ('detection', '2 failed, 1 skipped, 1 xfailed, 1 error'),
    ],
)
def test_skips(tmp_path: Path, tier: str | None, outcome: str) -> None:
    """What is skipped for another reason than the tier allows fails: tests, and files with all their tests."""
    (tmp_path / 'test_tests.py').write_text(TESTS)
    (tmp_path / 'test_file.py').write_text(FILE)
    (tmp_path / 'pytest.ini').touch()
    arguments = [
        '-q',
        '-p',
        'conftest',
        '--continue-on-collection-errors',
        *([] if tier is None else ['--tier', tier]),
    ]
    done = warm_python.run([sys.executable, '-c', PROGRAM, *arguments], cwd=tmp_path)
    assert done.stdout.splitlines()[-1].startswith(outcome), done.stdout
    assert ('which the core tier does not allow: Skipped: torch_quickfps' in done.stdout) == (tier == 'core')


def test_all_tests_of_the_detection_tier_run_there() -> None:
    """Whatever needs the tier is among what its script runs."""
    run_there = re.findall(r'\btests/[\w/.]+', (ROOT / 'tools/run_detection_tests.sh').read_text())
    needing = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / 'tests').glob('*/**/test_*.py'))
        if re.search(r"importorskip\('mm|'detection_tier'|if HAS_TIER", path.read_text())
    ]
    assert len(needing) > 15
    assert not [path for path in needing if not path.startswith(tuple(run_there))]
