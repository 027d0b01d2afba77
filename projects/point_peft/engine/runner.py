"""Runner that needs none of its files but the checkpoints."""

from __future__ import annotations

import logging
import sys
from typing import Any

from mmengine.logging import MMLogger
from mmengine.runner import Runner

from ..files import spared


class SparedRunner(Runner):
    """MMEngine's Runner, but a full disk costs a log or a copy of the config, and one warning, not the run."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """The logger of the run; without its file, if that cannot be opened."""
        try:
            logger = super().build_logger(*args, **kwargs)
        except OSError as error:
            logger = MMLogger.get_instance(self.experiment_name, log_level=kwargs.get('log_level', 'INFO'))
            logger.warning(f'the log could not be opened ({error}); the run goes on without it')
        for handler in logger.handlers:
            report_once(handler)
        return logger

    def dump_config(self) -> None:
        """Write the config to the work directory."""
        with spared('the config'):
            super().dump_config()


def report_once(handler: logging.Handler) -> None:
    """Let a log handler whose file cannot be written say so once, where python prints a traceback per line."""
    report = handler.handleError
    said: list[OSError] = []

    def handle(record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            report(record)
        elif not said:
            said.append(error)
            name = getattr(handler, 'baseFilename', 'the output')
            print(f'log lines could not be written to {name} ({error}); the run goes on', file=sys.stderr)

    handler.handleError = handle  # type: ignore[method-assign]
