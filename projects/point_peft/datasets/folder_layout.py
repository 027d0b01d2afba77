"""How a directory of one's own clouds is laid out: divided into subsets, or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..io.errors import DatasetError
from ..io.required import require_path
from .class_files import directories_in, list_clouds, refuse_lost_links, shortened, visible
from .once import warn_once
from .readers import SUFFIXES

SUBSETS = ('train', 'val', 'test')
"""Directories of a divided layout."""

SPELLINGS = {
    **dict.fromkeys(('train', 'training', 'trainset', 'train_set', 'train-set'), 'train'),
    **dict.fromkeys(('val', 'valid', 'validation', 'validate', 'valset', 'val_set', 'val-set'), 'val'),
    **dict.fromkeys(('test', 'testing', 'tests', 'testset', 'test_set', 'test-set'), 'test'),
}
"""What people call them, in lower case."""


@dataclass(frozen=True)
class FolderLayout:
    """Where the clouds of every class lie.

    Attributes:
        root (Path): the directory.
        subsets (tuple[str, ...]): which of ``train``, ``val``, ``test`` are there; none in an undivided directory.
        classes (tuple[str, ...]): names of the classes, sorted; of ``train`` if there are subsets.
    """

    root: Path
    subsets: tuple[str, ...]
    classes: tuple[str, ...]

    def list_files(self, subset: str | None) -> tuple[list[Path], np.ndarray]:
        """Files of a subset, or of an undivided directory, by class and name, and their classes (M,) int64."""
        root = self.root if subset is None else self.root / subset
        require_path(root, dataset='folder of clouds', origin='your own files')
        found = [list_clouds(root / name) for name in self.classes]
        labels = np.repeat(np.arange(len(found)), [len(files) for files in found])
        return [path for files in found for path in files], labels


def find_layout(root: Path) -> FolderLayout:
    """Recognise the layout of a directory, and check that its subsets have the same classes.

    Args:
        root (Path): directory with ``CLASS/FILE``, or ``train/CLASS/FILE`` and ``test/CLASS/FILE``.

    Raises:
        DatasetError: no classes, other names for subsets, subsets within classes, or classes that differ between
            subsets or only in case; says what to change.
    """
    if not root.is_dir():
        raise DatasetError(
            f"'{root}' is a file; give the directory that holds the directories of the classes."
        )
    refuse_lost_links(visible(root))
    folders = directories_in(root)
    # A class may be called 'train', as that of railways is; it holds clouds and no directories.
    subsets = [path for path in folders if _role(path) and directories_in(path) and not _has_clouds(path)]
    if not subsets:
        _refuse_subsets_of_files(root, folders)
        _warn_of_files(root, folders)
        return FolderLayout(root, (), _class_names(root))
    for path in subsets:
        if path.name not in SUBSETS:
            raise DatasetError(
                f"'{path}' looks like the {_role(path)} set; rename it to '{_role(path)}', since a divided directory "
                'has train/CLASS/FILE, test/CLASS/FILE and, if wanted, val/CLASS/FILE.'
            )
    names = tuple(name for name in SUBSETS if root / name in folders)
    if 'train' not in names:
        raise DatasetError(f"'{root}' has {shortened(names)} but no 'train'; add train/CLASS/FILE.")
    others = [path.name for path in folders if path.name not in SUBSETS]
    if others:
        warn_once(f"'{root}': the directories {shortened(others)} beside the subsets are left out.")
    classes = _class_names(root / 'train')
    for name in names[1:]:
        _check_same_classes(root, name, classes)
    return FolderLayout(root, names, classes)


def _class_names(root: Path) -> tuple[str, ...]:
    """Names of the class directories below ``root``.

    Raises:
        DatasetError: there are none, two differ only in case, or they hold subsets.
    """
    refuse_lost_links(visible(root))
    folders = directories_in(root)
    if not folders:
        loose = 'clouds but ' if _has_clouds(root) else ''
        raise DatasetError(
            f"'{root}' holds {loose}no class directories; expected CLASS/FILE, or train/CLASS/FILE and "
            'test/CLASS/FILE.'
        )
    plain: dict[str, str] = {}
    for path in folders:
        twin = plain.setdefault(path.name.casefold(), path.name)
        if twin != path.name:
            raise DatasetError(
                f"'{root}' has the classes '{twin}' and '{path.name}', which differ only in case; merge them or "
                'rename one.'
            )
        inner = [inside.name for inside in directories_in(path) if _role(inside)]
        if inner and len(folders) == 1:
            raise DatasetError(
                f"'{root}' holds only '{path.name}', which has the subsets; set data_root to '{path}'."
            )
        if inner:
            raise DatasetError(
                f"'{path}' holds the directories {shortened(inner)}; expected train/CLASS/FILE and test/CLASS/FILE "
                'instead of CLASS/train/FILE and CLASS/test/FILE: swap the two levels.'
            )
    return tuple(path.name for path in folders)


def _check_same_classes(root: Path, subset: str, classes: Sequence[str]) -> None:
    """Check that a subset has the classes of ``train``."""
    found = set(_class_names(root / subset))
    for first, second, names in (
        (subset, 'train', found - set(classes)),
        ('train', subset, set(classes) - found),
    ):
        if names:
            raise DatasetError(
                f"'{root / first}' has the classes {sorted(names)}, which '{root / second}' has not; give both the "
                'same classes.'
            )


def _refuse_subsets_of_files(root: Path, folders: Sequence[Path]) -> None:
    """Refuse ``train/FILE`` and ``test/FILE``, whose clouds have no class."""
    if folders and all(_role(path) for path in folders):
        raise DatasetError(
            f"'{root}' has {shortened([path.name for path in folders])}, which hold no class directories; expected "
            'train/CLASS/FILE and test/CLASS/FILE.'
        )


def _warn_of_files(root: Path, folders: Sequence[Path]) -> None:
    """Say which clouds lie beside the class directories."""
    loose = [path.name for path in visible(root) if _is_cloud(path)]
    if folders and loose:
        warn_once(
            f"'{root}': {len(loose)} files beside the class directories are left out, {shortened(loose)}."
        )


def _role(path: Path) -> str | None:
    """Which subset a directory's name speaks of."""
    return SPELLINGS.get(path.name.casefold())


def _has_clouds(folder: Path) -> bool:
    """Whether clouds lie directly in a directory."""
    return any(_is_cloud(path) for path in folder.iterdir())


def _is_cloud(path: Path) -> bool:
    """Whether a path has the name of a cloud and is no directory."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir() and not path.name.startswith('.')
