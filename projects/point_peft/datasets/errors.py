"""Errors a dataset raises, and the check that its files are there."""

from __future__ import annotations

from pathlib import Path

NO_DOWNLOAD_CONFIG = 'configs/point_peft/pointmae_mini_shapes.py'
"""Config that runs on the built-in shapes."""


class DatasetNotFoundError(FileNotFoundError):
    """A dataset's directory or one of its files does not exist."""


class DatasetError(ValueError):
    """A file was found, but what it holds cannot be used."""


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
