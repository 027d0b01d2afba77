"""Warnings about data, said once however often the data are read."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from mmengine.logging import print_log

_said: set[Hashable] = set()
"""What this process has logged, or what that was about."""

_collected: list[str] | None = None
"""Where warnings go instead, in a block of :func:`collected_warnings`."""


def warn_once(text: str, about: Hashable = None) -> None:
    """Log a warning, unless this process has logged the same before, or one about the same thing."""
    if _collected is not None:
        _collected.append(text)
        return
    key = text if about is None else about
    if key not in _said:
        _said.add(key)
        print_log(text, logger='current', level=30)


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Warnings of the block, none of which is logged: for those who read for another process, or for a later run."""
    global _collected
    before, _collected = _collected, []
    try:
        yield _collected
    finally:
        _collected = before
