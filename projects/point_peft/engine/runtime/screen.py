"""What of a log is for the screen, and what for its file alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mmengine

LISTING = tuple(Path(mmengine.__file__).parent / package for package in ('runner', 'model'))
"""Packages of MMEngine whose messages of several lines are lists: environment, config, hooks, initial values."""

CHATTER = (
    'Distributed training is not used',
    'Exp name: ',
    'Checkpoints will be saved to ',
    '-' * 30,
    'The number of instances per category in the dataset:',
)
"""Beginnings of messages that say nothing new: MMEngine's of one process and the work directory, mmdet3d's tables
of the boxes of every split."""


def screen_handlers(logger: logging.Logger) -> list[logging.StreamHandler]:
    """The handlers of a logger that write to the screen."""
    return [
        handler
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)
    ]


def keep_lists_off_screen(logger: logging.Logger) -> None:
    """Leave MMEngine's lists to the log file: hundreds of lines, among which no warning is seen; and its chatter."""
    for handler in screen_handlers(logger):
        handler.addFilter(_is_no_list)
        handler.addFilter(_is_no_chatter)


@contextmanager
def off_screen(logger: logging.Logger) -> Iterator[None]:
    """Leave what is logged in this block to the log file, but for warnings and errors."""
    handlers = screen_handlers(logger)
    for handler in handlers:
        handler.addFilter(_is_warning)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_is_warning)


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno > logging.INFO


def _is_no_chatter(record: logging.LogRecord) -> bool:
    return _is_warning(record) or not record.getMessage().startswith(CHATTER)


def _is_no_list(record: logging.LogRecord) -> bool:
    if _is_warning(record) or '\n' not in record.getMessage():
        return True
    return not any(package in Path(record.pathname).parents for package in LISTING)
