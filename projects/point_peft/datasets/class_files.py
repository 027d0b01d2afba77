"""The clouds in the directory of a class, and what lies beside them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..io.errors import DatasetError
from .companions import refuse_companion
from .once import warn_once
from .readers import SUFFIXES

JUNK = frozenset(
    [
        *('__macosx', 'thumbs.db', 'ehthumbs.db', 'desktop.ini', '@eadir', '$recycle.bin'),
        *('system volume information', 'lost+found', '__pycache__'),
    ]
)
"""What systems put into directories, besides hidden files; in lower case."""

SHOWN = 5
"""Names in a warning."""


def list_clouds(folder: Path) -> list[Path]:
    """Clouds and meshes of one class, by name; what else is there is counted in one warning.

    Args:
        folder (Path): directory of the class.

    Raises:
        DatasetError: there is no cloud, a link leads nowhere, or the name of a file says that it is no cloud.
    """
    entries = visible(folder)
    directories = directories_in(folder)
    inner = set(directories)
    files = [path for path in entries if path not in inner and path.suffix.lower() in SUFFIXES]
    if not files:
        _explain_empty(folder, directories)
    refuse_lost_links(files)
    stems = {path.stem for path in files}
    for path in files:
        refuse_companion(path, stems)
    chosen = set(files)
    left_out = [f'{path.name}/' if path in inner else path.name for path in entries if path not in chosen]
    if left_out:
        warn_once(
            f"'{folder}': {len(left_out)} of {len(entries)} entries are left out, {shortened(left_out)}; "
            f'clouds are files that end in {", ".join(SUFFIXES)}.'
        )
    _warn_of_twins(folder, files)
    return files


def visible(folder: Path) -> list[Path]:
    """What is in a directory, by name, without hidden entries and without what systems put there."""
    return [folder / name for name in sorted(filter(_is_visible, os.listdir(folder)))]


def directories_in(folder: Path) -> list[Path]:
    """The directories among that, and links to some; the system says which they are without a look at every file."""
    with os.scandir(folder) as entries:
        names = [
            entry.name
            for entry in entries
            if entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and Path(entry.path).is_dir())
        ]
    return [folder / name for name in sorted(filter(_is_visible, names))]


def refuse_lost_links(paths: Iterable[Path]) -> None:
    """Refuse links to clouds or classes that are not there, as when a disk is not mounted.

    Raises:
        DatasetError: there is one; names it.
    """
    lost = next((path for path in paths if path.is_symlink() and not path.exists()), None)
    if lost is not None:
        raise DatasetError(
            f"'{lost}' is a link to '{os.readlink(lost)}', which does not exist; correct or remove it."
        )


def shortened(names: Sequence[str]) -> str:
    """The first names, quoted."""
    rest = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return ', '.join(f"'{name}'" for name in names[:SHOWN]) + rest


def _is_visible(name: str) -> bool:
    """Whether an entry is neither hidden nor put there by a system."""
    return not name.startswith('.') and name.lower() not in JUNK


def _warn_of_twins(folder: Path, files: Iterable[Path]) -> None:
    """Say that files differ only in their format or in the case of their names."""
    groups: dict[str, list[str]] = defaultdict(list)
    for path in files:
        groups[path.stem.casefold()].append(path.name)
    twins = [names for names in groups.values() if len(names) > 1]
    if twins:
        warn_once(
            f"'{folder}': {len(twins)} objects are there more than once, by their names ({shortened(twins[0])}); "
            'every file counts as an object, so remove all but one of them if they are the same.'
        )


def _explain_empty(folder: Path, directories: Sequence[Path]) -> None:
    """Raise the error of a class without clouds, which says whether they lie deeper."""
    inner = [path.name for path in directories]
    if inner:
        raise DatasetError(
            f"'{folder}' holds no cloud but the directories {shortened(inner)}; put the files of a class directly "
            'into its directory, or set data_root to this one if these are the classes.'
        )
    raise DatasetError(
        f"'{folder}' holds no cloud; expected files with one of the suffixes {', '.join(SUFFIXES)}."
    )
