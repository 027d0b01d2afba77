"""The directories that a run writes to, before it begins."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from ...io.errors import ConfigError
from ...io.text import printable
from .resume import checkpoint_directory
from .work_dir import check_work_dir


def make_directories(cfg: Config) -> None:
    """Make the work directory, and that of the checkpoints where it is another one.

    Args:
        cfg (Config): The config.

    Raises:
        ConfigError: One is a file, lies below one, is a loop of links, or cannot be written to.
    """
    places = {'--work-dir': Path(cfg.work_dir), 'default_hooks.checkpoint.out_dir': checkpoint_directory(cfg)}
    for flag, path in places.items():
        check_work_dir(path, flag)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"{flag} '{printable(path)}' cannot be made ({error.strerror}); give another one."
            ) from error
