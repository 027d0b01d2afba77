"""MMEngine's loaders of checkpoints, replaced by safe ones."""

from __future__ import annotations

from typing import Any

from mmengine.runner import CheckpointLoader

from ...io.errors import CheckpointError
from ...io.weights.safe_load import MapLocation, load_checkpoint_file


def use_safe_loading() -> None:
    """Make MMEngine read every checkpoint through :func:`load_checkpoint_file`.

    MMEngine's own loaders call ``torch.load`` with its defaults, which execute pickles before torch 2.6 and,
    for files from the internet, after it too. This replaces the loaders of local paths, of http(s) and hf; the
    other schemes (``torchvision://``, ``s3://`` ...) are refused, since nothing in the project needs them.
    Importing ``point_peft.engine`` calls it; calling it again does no harm.
    """
    # Its public interface adds loaders but lists none, and one that is overlooked would run pickles.
    for scheme in list(CheckpointLoader._schemes):
        CheckpointLoader.register_scheme(scheme, loader=load_from_nowhere, force=True)
    CheckpointLoader.register_scheme('', loader=load_from_file, force=True)
    for scheme in ('http://', 'https://', 'hf://'):
        CheckpointLoader.register_scheme(scheme, loader=load_from_file, force=True)


def load_from_file(filename: str, map_location: MapLocation = None) -> dict[str, Any]:
    """MMEngine's loader of files, here or at an address, made safe; see :func:`load_checkpoint_file`."""
    return load_checkpoint_file(filename, map_location)


def load_from_nowhere(filename: str, map_location: MapLocation = None) -> dict[str, Any]:
    """Refuse a scheme of MMEngine that would be read unsafely.

    Raises:
        CheckpointError: Always.
    """
    raise CheckpointError(
        f'{filename} uses a scheme that is not supported; give a local path, or an address with https:// or hf://.'
    )
