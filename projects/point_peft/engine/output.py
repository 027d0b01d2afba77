"""The directories that a run writes to, before it begins."""

from __future__ import annotations

import os
from pathlib import Path

from mmengine.config import Config

from .errors import ConfigError
from .resume import checkpoint_directory


def make_directories(cfg: Config) -> None:
    """Make the work directory, and that of the checkpoints where it is another one.

    Args:
        cfg (Config): The config.

    Raises:
        ConfigError: One is a file, lies below one, is a loop of links, or cannot be written to.
    """
    for name, path in (('work_dir', Path(cfg.work_dir)), ('checkpoint.out_dir', checkpoint_directory(cfg))):
        if os.path.lexists(path) and not path.is_dir():
            raise ConfigError(
                f"'{path}' ({name}) is no directory, but logs and checkpoints need one; name another with --work-dir."
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"'{path}' ({name}) cannot be made ({error.strerror}); name another with --work-dir."
            ) from error
        if not os.access(path, os.W_OK | os.X_OK):
            raise ConfigError(
                f"'{path}' ({name}) cannot be written to, so nothing would be saved; name another with --work-dir."
            )
