"""Warnings about data, said once however often the data are read."""

from __future__ import annotations

from collections.abc import Hashable

from mmengine.logging import print_log

_said: set[Hashable] = set()
"""What this process has logged, or what that was about."""


def warn_once(text: str, about: Hashable = None) -> None:
    """Log a warning, unless this process has logged the same before, or one about the same thing."""
    key = text if about is None else about
    if key not in _said:
        _said.add(key)
        print_log(text, logger='current', level=30)
