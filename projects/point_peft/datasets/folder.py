"""One's own clouds and meshes, sorted into one directory per class."""

from __future__ import annotations

from collections.abc import Mapping
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
from .folder_layout import find_layout
from .lazy import LazyClouds
from .once import warn_once
from .preparation import Preparation
from .readers import SUFFIXES, name_seed
from .splits import named_folds, named_split


@DATASETS.register_module()
class PointCloudFolder(PointCloudDataset):
    """Files ``root/train/class/*`` and ``root/test/class/*``, or only ``root/class/*``.

    Meshes are sampled on their surface. Without ``train`` and ``test`` directories, about ``test_fraction`` of every
    class is the test set. Without a ``val`` directory, about ``val_fraction`` of the training files is ``val``. A hash
    of class and file name chooses both, so that a file stays where it is when others are added. Every cloud is
    resampled to ``num_points`` with a seed made from its class and file name, so a file always gives the same cloud.

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
        DatasetError: no class directories, an empty class, or a file that cannot be read (named).
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
        """Read and prepare all clouds (M, num_points, 3); one warning for all splits if some were too small."""
        size = min(self.num_points, self.max_points or self.num_points)
        prepared = np.empty((len(clouds), size, 3), dtype=np.float32)
        small: list[str] = []
        for row, source in enumerate(track(clouds.sources, f'Reading {self.data_root.name}')):
            points = clouds.points[row]
            prepared[row] = self.preparation(points, source, seed=name_seed(Path(source)))
            if len(points) < self.num_points:
                small.append(source)
        if small:
            warn_once(
                f"'{self.data_root}': clouds there, {len(small)} of the {len(clouds)} that were read first, have fewer "
                f"than num_points={self.num_points} points, '{small[0]}' among them; their points are repeated.",
                about=('few points', self.data_root, self.num_points),
            )
        clouds.points = prepared
        return clouds


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
