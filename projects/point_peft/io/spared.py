"""Writes that may fail without ending a run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.logging import print_log


@contextmanager
def spared(what: str) -> Iterator[None]:
    """Let a write fail at the cost of one warning, since no training should die of a lost picture or log line.

    The logger says the same sentence once, however often the write is tried.

    Args:
        what (str): What is written, as the beginning of a sentence.
    """
    try:
        yield
    except OSError as error:
        print_log(
            f'{what} could not be written ({error}); the run goes on without it',
            logger='current',
            level=logging.WARNING,
        )
