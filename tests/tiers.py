"""What the option ``--tier`` promises: nothing is skipped that the packages of that tier should run.

``tools/run_tests.sh`` and ``tools/run_detection_tests.sh`` give it, for the environments that they have just made. Any
other environment may lack packages, and then tests are skipped.
"""

from __future__ import annotations

import re

import pytest

ALWAYS = r'needs a GPU|\bnot here$|this torch has no fully_shard|and a C compiler$'
"""Reasons that no package would remedy: hardware, a compiler, data that may not be passed on, and an older PyTorch."""

NO_BROWSER = 'no browser here, and no apt-get as root'
"""What tests in a browser say where ``tools/setup_env.sh browser`` cannot help; see :mod:`browser`."""

TIERS = {
    'core': rf"{ALWAYS}|{NO_BROWSER}|could not import '(mmcv|mmdet|mmdet3d)'|needs the detection tier",
    'detection': rf'{ALWAYS}|the detection tier is installed',
}
"""Reasons for which a test may be skipped, as a regular expression, by tier."""


def fail_if_incomplete(report: pytest.TestReport | pytest.CollectReport, tier: str | None) -> None:
    """Turn a report that something was skipped into a failure, unless the tier allows the reason."""
    if tier is None or not report.skipped or hasattr(report, 'wasxfail'):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not re.search(TIERS[tier], reason):
        report.outcome = 'failed'
        report.longrepr = f'{report.nodeid} was skipped, which the {tier} tier does not allow: {reason}'
