"""The check that the files of a dataset are there."""

from __future__ import annotations

from pathlib import Path

from .errors import DatasetNotFoundError

NO_DOWNLOAD_CONFIG = 'configs/point_peft/pointmae_mini_shapes.py'
"""Config that needs neither data nor weights from elsewhere."""


def require_path(path: Path, *, dataset: str, origin: str) -> Path:
    """Return ``path`` if it exists.

    Args:
        path (Path): directory or file that must exist.
        dataset (str): name of the dataset, for the message.
        origin (str): where the dataset can be had, for the message.

    Raises:
        DatasetNotFoundError: ``path`` does not exist; says where to get the dataset and which config
            needs no download.
    """
    if path.exists():
        return path
    raise DatasetNotFoundError(
        f"{dataset} not found: '{path}' does not exist; get it from {origin} (see docs/datasets.md), set "
        f'data_root to where you put it, or start with {NO_DOWNLOAD_CONFIG}, which needs no download.'
    )
