"""Tests in a browser are skipped only where the set-up script cannot install one."""

from __future__ import annotations

import os
import re
import shutil

import browser
import pytest
from tiers import TIERS


@pytest.mark.parametrize(
    ('there', 'user', 'allowed'),
    [(['apt-get'], 0, False), (['apt-get', 'chromium'], 0, False), (['apt-get'], 1000, True), ([], 0, True)],
)
def test_missing(monkeypatch: pytest.MonkeyPatch, there: list[str], user: int, allowed: bool) -> None:
    """The core tier, as which continuous integration runs them as root, does not allow it then."""
    monkeypatch.setattr(shutil, 'which', lambda name: f'/usr/bin/{name}' if name in there else None)
    monkeypatch.setattr(os, 'geteuid', lambda: user)
    with pytest.raises(pytest.skip.Exception) as skipped:
        browser._programs()
    assert bool(re.search(TIERS['core'], str(skipped.value))) == allowed
    assert 'chromedriver' in str(skipped.value) or browser.INSTALL in str(skipped.value)


def test_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        shutil, 'which', lambda name: f'/opt/{name}' if name in ('google-chrome', 'chromedriver') else None
    )
    assert browser._programs() == ('/opt/google-chrome', '/opt/chromedriver')
