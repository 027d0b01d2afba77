"""Runner that needs none of its files but the checkpoints."""

from __future__ import annotations

import logging
from typing import Any, cast

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import Runner

from ..files import spared
from .config.required import check_loops
from .config.schedule import drop_short_warmups
from .console import SparedStream


class SparedRunner(Runner):
    """MMEngine's Runner, but a full disk costs a log or a copy of the config, and one warning, not the run."""

    @classmethod
    def from_cfg(cls, cfg: Config) -> Runner:
        """Build it, after a look at what MMEngine would refuse with a traceback."""
        check_loops(cfg)
        return super().from_cfg(cfg)

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """The logger of the run; without its file, if that cannot be opened."""
        try:
            logger = super().build_logger(*args, **kwargs)
        except OSError as error:
            logger = MMLogger.get_instance(self.experiment_name, log_level=kwargs.get('log_level', 'INFO'))
            logger.warning(f'the log could not be opened ({error}); the run goes on without it')
        for handler in logger.handlers:
            # MMEngine writes to the stream directly too, and python's logging prints a traceback per lost line.
            if isinstance(handler, logging.FileHandler):
                stream: Any = handler.stream
                handler.stream = cast(Any, SparedStream(stream, handler.baseFilename))
        return logger

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """Build the schedules, without warm-ups that are too short to end."""
        scheduler, notes = drop_short_warmups(scheduler, len(self.train_dataloader))
        for note in notes:
            self.logger.warning(note)
        return super().build_param_scheduler(scheduler)

    def dump_config(self) -> None:
        """Write the config to the work directory."""
        with spared('the config'):
            super().dump_config()
