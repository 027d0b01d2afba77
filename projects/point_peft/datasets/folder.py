"""One's own clouds and meshes, sorted into one directory per class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..io.errors import DatasetError, InvalidValueError
from ..io.progress import track
from ..io.required import require_path
from ..registry import DATASETS
from .base import PointCloudDataset
from .clouds import Clouds
from .folder_cache import kept_clouds
from .folder_layout import find_layout
from .lazy import LazyClouds
from .once import warn_once
from .preparation import Preparation
from .readers import SUFFIXES
from .reading import read_prepared
from .splits import named_folds, named_split

IN_MEMORY = 1 << 24
"""Bytes of prepared clouds, 680 of 2048 points, up to which a folder is read into memory and nothing is written."""


@DATASETS.register_module()
class PointCloudFolder(PointCloudDataset):
    """Files ``root/train/class/*`` and ``root/test/class/*``, or only ``root/class/*``.

    Meshes are sampled on their surface. Without ``train`` and ``test`` directories, about ``test_fraction`` of every
    class is the test set. Without a ``val`` directory, about ``val_fraction`` of the training files is ``val``. A hash
    of class and file name chooses both, so that a file stays where it is when others are added. Every cloud is
    resampled to ``num_points`` with a seed made from its class and file name, so a file always gives the same cloud.

    Up to :data:`IN_MEMORY` bytes of prepared clouds are read into memory, those of the split alone. Of more files all
    that lie together, in an undivided directory or a subset, are read once, by several processes, into a file from
    which every split, fold and later run takes its clouds; see :func:`~.folder_cache.kept_clouds`. A process then holds
    names and labels, however many points there are.

    Args:
        data_root (str | Path): the directory.
        num_points (int): points per cloud; a larger cloud is thinned at random, a smaller one repeats points.
        normalize (str | None): ``unit_sphere`` or None.
        test_fraction (float): share of every class that is the test set of an undivided directory.
        folds (int | None): divide an undivided directory into so many parts of one size, of which part ``fold`` is the
            test set, so that over all folds every object is tested once.
        fold (int): which part, from 0.
        **kwargs: see :class:`PointCloudDataset`; ``split_seed`` gives another choice of test and val files.

    Raises:
        DatasetError: no class directories, an empty class, or a file that cannot be read (named), of all files that
            lie together if they are read together.
    """

    def __init__(
        self,
        data_root: str | Path,
        *,
        num_points: int = 2048,
        normalize: str | None = 'unit_sphere',
        test_fraction: float = 0.2,
        folds: int | None = None,
        fold: int = 0,
        **kwargs: Any,
    ) -> None:
        root = _required(data_root)
        self.num_points = num_points
        self.test_fraction = test_fraction
        self.folds, self.fold = folds, fold
        self.layout = find_layout(root)
        self.classes = self.layout.classes
        if folds is not None:
            self._check_folds(folds, fold)
        self.holds_out = 'val' not in self.layout.subsets
        super().__init__(root, normalize=normalize, **kwargs)

    @classmethod
    def classes_in(cls, data_root: str | Path) -> tuple[str, ...]:
        """Names of the classes of a directory, of which no cloud is read.

        Raises:
            DatasetError: as for the dataset.
        """
        return find_layout(_required(data_root)).classes

    @classmethod
    def preparation_from(cls, settings: Mapping[str, Any]) -> Preparation:
        """How clouds are prepared: resampled first; see the base class."""
        return replace(super().preparation_from(settings), num_points=settings['num_points'])

    def load(self, subset: str) -> Clouds:
        """List the files of the split; see the base class."""
        if not self.layout.subsets:
            clouds = self._list(None)
            train, test = self._divide(clouds)
            return clouds.subset(test if subset == 'test' else train)
        if self.holds_out or self.split == 'test':
            clouds = self._list(subset)
        else:
            clouds = self._list(*(('train', 'val') if self.split == 'trainval' else (self.split,)))
        for other in self.layout.subsets:
            self.layout.list_files(other)  # what is wrong there is to be said before a run, not after it
        return clouds

    def _list(self, *subsets: str | None) -> Clouds:
        """Clouds of some subsets, or of an undivided directory, still unread."""
        listed = [self.layout.list_files(subset) for subset in subsets]
        files = [path for found, _ in listed for path in found]
        return Clouds(
            points=LazyClouds(files, self.preparation.read_file),
            labels=np.concatenate([labels for _, labels in listed]),
            sources=[str(path) for path in files],
        )

    def _divide(self, clouds: Clouds) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the clouds of an undivided directory that are for training and for the test."""
        if self.folds is None:
            return self._split(clouds, self.test_fraction)
        names = _names(clouds)
        for label, name in enumerate(self.classes):
            if len({key for key, its in zip(names, clouds.labels) if its == label}) < 2:
                raise DatasetError(
                    f"'{self.data_root / name}' holds a single object, which cannot be trained on and tested on; add "
                    'another one, or remove the class.'
                )
        found = named_folds(names, clouds.labels, folds=self.folds, salt=str(self.split_seed))
        return np.flatnonzero(found != self.fold), np.flatnonzero(found == self.fold)

    def _check_folds(self, folds: int, fold: int) -> None:
        """Refuse folds that are none, and those of a directory that has its own test set."""
        if folds < 2 or not 0 <= fold < folds:
            raise InvalidValueError(
                f'fold {fold} of {folds} does not exist; give at least 2 folds, from 0 on.'
            )
        if self.layout.subsets:
            raise DatasetError(
                f"'{self.layout.root}' has {' and '.join(self.layout.subsets)}, so it is divided already; leave the "
                'folds out, or put the classes of all together into one directory.'
            )

    def _hold_out(self, clouds: Clouds) -> tuple[np.ndarray, np.ndarray]:
        """By name, after the test set if that was chosen so too; see the base class."""
        by_share = not self.layout.subsets and self.folds is None
        return self._split(clouds, self.val_fraction, after=self.test_fraction if by_share else 0)

    def _split(self, clouds: Clouds, fraction: float, *, after: float = 0) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the clouds kept and held out by their class and name without the format."""
        names, salt = _names(clouds), str(self.split_seed)
        return named_split(names, clouds.labels, fraction=fraction, salt=salt, after=after)

    def _prepare(self, clouds: Clouds) -> Clouds:
        """Have the clouds read and prepared, each (num_points, 3): few in memory, many in a file."""
        assert isinstance(clouds.points, LazyClouds)  # as load() lists them
        size = min(self.num_points, self.max_points or self.num_points)
        listed, rows = clouds.points.listed, clouds.points.rows
        kept = None
        if len(listed) * size * 12 > IN_MEMORY:  # decided for all splits alike
            kept = kept_clouds(self.data_root, listed, self.preparation, size)
        if kept is None:
            clouds.points = self._held(clouds.points.files, size)
            return clouds
        points, remarks = kept
        for text in remarks.warnings:
            warn_once(text)
        self._warn_of_small(remarks.small, len(listed), listed[remarks.first_small])
        clouds.points = points.take(rows)
        return clouds

    def _held(self, files: Sequence[Path], size: int) -> np.ndarray:
        """Clouds (M, size, 3) of files, in memory."""
        prepared = np.empty((len(files), size, 3), dtype=np.float32)
        small = []
        read = read_prepared(files, self.preparation)
        for row, cloud in enumerate(track(read, f'Reading {self.data_root.name}', total=len(files))):
            prepared[row] = cloud.points
            if cloud.size < self.num_points:
                small.append(files[row])
        self._warn_of_small(len(small), len(files), *small[:1])
        return prepared

    def _warn_of_small(self, count: int, total: int, *first: Path) -> None:
        """One warning for all splits if some clouds were too small."""
        if count:
            warn_once(
                f"'{self.data_root}': clouds there, {count} of the {total} that were read first, have fewer than "
                f"num_points={self.num_points} points, '{first[0]}' among them; their points are repeated.",
                about=('few points', self.data_root, self.num_points),
            )


class ListedFolder(PointCloudFolder):
    """The same, of which no file is read: to see how it is divided. It has no items."""

    def _prepare(self, clouds: Clouds) -> Clouds:
        """Leave the clouds on the disk."""
        return clouds


def _names(clouds: Clouds) -> list[str]:
    """Class and name without the format of every cloud, which decide where it goes."""
    return [f'{path.parent.name}/{path.stem}' for path in map(Path, clouds.sources)]


def _required(data_root: str | Path) -> Path:
    """The directory, which must be there."""
    origin = f'your own files, as CLASS/FILE with one of the suffixes {", ".join(SUFFIXES)}'
    return require_path(Path(data_root), dataset='folder of clouds', origin=origin)
