"""The directory that a run writes to, if nobody names one."""

from __future__ import annotations

import os
from pathlib import Path

from ...io.errors import MissingFileError
from .names import Combination, find_config

ROOT = Path('work_dirs')

CONFIGS = 'configs'
"""Directory whose subdirectories are methods."""


def default_work_dir(config: str | Path) -> Path:
    """``work_dirs/point_peft/pointmae_scanobjnn`` for ``configs/point_peft/pointmae_scanobjnn.py``.

    The name has the method in it, as configs of all methods have the same names. That of a config elsewhere is the name
    of its file.

    Args:
        config (str | Path): The config file, which may not be there, or the name METHOD/BACKBONE_TASK.
    """
    try:
        found = find_config(config)
    except MissingFileError:
        found = Path(config)
    if isinstance(found, Combination):
        return ROOT / str(found)
    path = Path(os.path.abspath(found))  # without `..`, which would make two names of one place
    parents = path.parts[:-1]
    if CONFIGS not in parents:
        return ROOT / path.stem
    below = parents[len(parents) - parents[::-1].index(CONFIGS) :]
    return ROOT.joinpath(*below, path.stem)
