"""Warnings about data, said once however often the data are read."""

from __future__ import annotations

from functools import cache

from mmengine.logging import print_log


@cache
def warn_once(text: str) -> None:
    """Log a warning, unless this process has logged the same before."""
    print_log(text, logger='current', level=30)
