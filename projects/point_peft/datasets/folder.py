"""One's own clouds and meshes, sorted into one directory per class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from rich.progress import track

from ..registry import DATASETS
from .base import PointCloudDataset
from .clouds import Clouds
from .errors import DatasetError, require_path
from .readers import SUFFIXES, name_seed, read_cloud
from .splits import stratified_split


@DATASETS.register_module()
class PointCloudFolder(PointCloudDataset):
    """Files ``root/train/class/*`` and ``root/test/class/*``, or only ``root/class/*``.

    Formats: npy, txt, xyz, ply, off, obj, pcd; meshes are sampled on their surface. Without ``train`` and
    ``test`` directories, ``test_fraction`` of every class is the test set. Every cloud is resampled to
    ``num_points`` with a seed made from its class and file name, so a file always gives the same cloud.

    Args:
        data_root (str | Path): the directory.
        num_points (int): points per cloud; a larger cloud is thinned at random, a smaller one repeats points.
        normalize (str | None): ``unit_sphere`` or None.
        test_fraction (float): share of every class that is the test set of an undivided directory.
        **kwargs: see :class:`PointCloudDataset`.

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
        **kwargs: Any,
    ) -> None:
        root = require_path(
            Path(data_root),
            dataset='folder of clouds',
            origin=f'your own files, as CLASS/FILE with one of the suffixes {", ".join(SUFFIXES)}',
        )
        self.num_points = num_points
        self.test_fraction = test_fraction
        super().__init__(root, normalize=normalize, **kwargs)

    def load(self, subset: str) -> Clouds:
        """Read the train or test files; see the base class."""
        divided = (self.data_root / 'train').is_dir()
        self.classes = tuple(
            path.name for path in _directories(self.data_root / 'train' if divided else self.data_root)
        )
        if not self.classes:
            raise DatasetError(
                f"'{self.data_root}' holds no class directories; expected CLASS/FILE, or train/CLASS/FILE "
                'and test/CLASS/FILE.'
            )
        files, labels = self._list_files(self.data_root / subset if divided else self.data_root)
        if not divided:
            train, test = stratified_split(labels, fraction=self.test_fraction, seed=self.split_seed)
            index = test if subset == 'test' else train
            files, labels = [files[i] for i in index], labels[index]
        return Clouds(points=self._read(files), labels=labels, sources=[str(path) for path in files])

    def _list_files(self, root: Path) -> tuple[list[Path], np.ndarray]:
        """Files below ``root`` in the order of class and name, and their classes."""
        require_path(root, dataset='folder of clouds', origin='your own files')
        unknown = {path.name for path in _directories(root)} - set(self.classes)
        if unknown:
            raise DatasetError(
                f"'{root}' has the classes {sorted(unknown)}, which '{self.data_root / 'train'}' has not; "
                'give both the same classes.'
            )
        files: list[Path] = []
        labels: list[int] = []
        for label, name in enumerate(self.classes):
            found = sorted(path for path in (root / name).glob('*') if path.suffix.lower() in SUFFIXES)
            if not found:
                raise DatasetError(
                    f"'{root / name}' holds no cloud; expected files with one of the suffixes "
                    f'{", ".join(SUFFIXES)}.'
                )
            files += found
            labels += [label] * len(found)
        return files, np.array(labels, dtype=np.int64)

    def _read(self, files: Sequence[Path]) -> np.ndarray:
        """Read and resample: (M, num_points, 3); one warning if clouds were too small."""
        points = np.empty((len(files), self.num_points, 3), dtype=np.float32)
        small: list[Path] = []
        for row, path in enumerate(
            track(files, description=f'Reading {self.data_root.name}', transient=True)
        ):
            cloud = read_cloud(path, mesh_points=self.num_points)
            points[row] = resample(cloud, self.num_points, seed=name_seed(path))
            if len(cloud) < self.num_points:
                small.append(path)
        if small:
            print_log(
                f'{len(small)} of {len(files)} clouds have fewer than num_points={self.num_points} points, '
                f"'{small[0]}' among them; their points are repeated.",
                logger='current',
                level=30,
            )
        return points


def resample(points: np.ndarray, num_points: int, *, seed: int) -> np.ndarray:
    """Choose points at random, each once, or all of them plus repeats when there are too few.

    Args:
        points (np.ndarray): (N, 3).
        num_points (int): points wanted.
        seed (int): seed of the choice; a cloud that has ``num_points`` stays as it is.

    Returns:
        np.ndarray: (num_points, 3).
    """
    if len(points) == num_points:
        return points
    rng = np.random.default_rng(seed)
    if len(points) > num_points:
        return points[rng.permutation(len(points))[:num_points]]
    return np.concatenate([points, points[rng.integers(len(points), size=num_points - len(points))]])


def _directories(root: Path) -> list[Path]:
    """Directories below ``root`` by name, without hidden ones."""
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith('.'))
