"""MMEngine's loaders of checkpoints, replaced by safe ones."""

from __future__ import annotations

import hashlib
import sys
import urllib.error
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, is_main_process
from mmengine.runner import CheckpointLoader

from ...io.errors import CheckpointError
from ...io.weights.safe_load import MapLocation, load_checkpoint_file


def use_safe_loading() -> None:
    """Make MMEngine read every checkpoint through :func:`load_checkpoint_file`.

    MMEngine's own loaders call ``torch.load`` with its defaults, which execute pickles before torch 2.6 and,
    for files from the internet, after it too. This replaces the loaders of local paths and of http(s); the
    other schemes (``torchvision://``, ``s3://`` ...) are refused, since nothing in the project needs them.
    Importing ``point_peft.engine`` calls it; calling it again does no harm.
    """
    # Its public interface adds loaders but lists none, and one that is overlooked would run pickles.
    for scheme in list(CheckpointLoader._schemes):
        CheckpointLoader.register_scheme(scheme, loader=load_from_nowhere, force=True)
    CheckpointLoader.register_scheme('', loader=load_from_local, force=True)
    CheckpointLoader.register_scheme(['http://', 'https://'], loader=load_from_http, force=True)


def load_from_local(filename: str, map_location: MapLocation = None) -> dict[str, Any]:
    """MMEngine's loader of local files, made safe; see :func:`load_checkpoint_file`."""
    return load_checkpoint_file(filename, map_location)


def load_from_http(filename: str, map_location: MapLocation = None) -> dict[str, Any]:
    """MMEngine's loader of http(s) addresses, made safe; downloads once, on the main process.

    Raises:
        CheckpointError: The address cannot be reached; else as :func:`load_checkpoint_file`.
    """
    folder = (
        Path(torch.hub.get_dir())
        / 'checkpoints'
        / hashlib.blake2b(filename.encode(), digest_size=4).hexdigest()
    )
    target = folder / Path(urlparse(filename).path).name
    if is_main_process() and not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(filename, str(target), progress=sys.stderr.isatty())
        except (urllib.error.URLError, OSError) as error:
            raise CheckpointError(
                f'{filename} cannot be downloaded ({error}); download it elsewhere and give the '
                'path of the file.'
            ) from error
    barrier()
    return load_checkpoint_file(target, map_location)


def load_from_nowhere(filename: str, map_location: MapLocation = None) -> dict[str, Any]:
    """Refuse a scheme of MMEngine that would be read unsafely.

    Raises:
        CheckpointError: Always.
    """
    raise CheckpointError(
        f'{filename} uses a scheme that is not supported; give a local path or an http(s) address.'
    )
