"""Where the clouds of a folder are kept: beside it, with the user's own caches, or for a while."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mmengine.logging import print_log

from ..io.atomic import check_writable
from ..io.caches import user_caches
from .cache import CACHE_DIR

SPARE = 1 << 28
"""Bytes that are left free on a disk."""

_temporary: list[Path] = []
"""The temporary directory of this process, once it has one."""


def places_to_read(root: Path) -> list[Path]:
    """Directories in which clouds of a folder may be kept already, the one beside it first."""
    return [root / CACHE_DIR, _users_own(root), *_temporary]


def places_to_write(root: Path, size: int) -> Iterator[Path]:
    """The directories, made as they are asked for, that may be written and have room for ``size`` bytes.

    The last one is for this process and those that it starts, and goes with it.
    """
    for place in (root / CACHE_DIR, _users_own(root)):
        try:
            if place.parent == root:
                check_writable(root)
            place.mkdir(parents=True, exist_ok=True)
            check_writable(place)
            _check_room(place, size)
        except OSError as error:
            print_log(
                f"the clouds of '{root}' are not kept beside it or in a cache: {error}.", logger='current'
            )
        else:
            yield place
    try:
        _check_room(Path(tempfile.gettempdir()), size)
        place = _temporary_place()
    except OSError:
        return
    yield place


def _users_own(root: Path) -> Path:
    """A directory for this folder among the user's caches."""
    return user_caches() / hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:16]


def _temporary_place() -> Path:
    """A directory of this process alone, which is removed when it ends."""
    if not _temporary:
        place = Path(tempfile.mkdtemp(prefix='point_peft_'))
        atexit.register(shutil.rmtree, place, ignore_errors=True)
        _temporary.append(place)
    return _temporary[0]


def _check_room(place: Path, size: int) -> None:
    """Check that a disk has room, and some to spare.

    Raises:
        OSError: it has not.
    """
    free = shutil.disk_usage(place).free
    if free < size + SPARE:
        raise OSError(
            f"the disk of '{place}' has {free >> 20} MB left, and {(size + SPARE) >> 20} are needed"
        )
