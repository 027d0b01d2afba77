"""From the points of a file to those of an item: the one way, for training, testing and inference."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from mmengine.logging import print_log

from ..io.errors import DatasetError, InvalidValueError
from ..registry import DATASETS
from ..registry.built_from import class_of
from .checks import check_cloud, check_prepared, is_rounded
from .companions import check_is_cloud
from .draw import PointDraw, resample
from .normalize import get_normalizer
from .once import warn_once
from .readers import MESH_POINTS, name_seed, read_cloud

Notes: TypeAlias = dict[str, list[tuple[str, str]]]
"""What clouds lose or repeat: what is said of several; and of each its name, and what is said of it alone."""


@dataclass(frozen=True)
class Preparation:
    """What a dataset does to every cloud.

    A cloud is checked as a whole, resampled, cropped, normalised in float64, and cast to float32, in this order.
    Prepared clouds are kept on disks: a change of what comes out, here or in the readers, needs another
    :data:`~.folder_cache.LAYOUT`.

    Attributes:
        normalize (str | None): ``unit_sphere``, or None to keep the coordinates of the file.
        num_points (int | None): points to resample to; None keeps all.
        max_points (int | None): keep the first ``max_points`` points; None keeps all.
        draw (PointDraw | None): chooses points after that, for objects whose points carry labels.
    """

    normalize: str | None = None
    num_points: int | None = None
    max_points: int | None = None
    draw: PointDraw | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown normalisation and empty clouds."""
        get_normalizer(self.normalize)
        for name in ('num_points', 'max_points'):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidValueError(f'{name}={value} must be at least 1, or None for all points.')

    def __call__(self, points: np.ndarray, source: str, *, seed: int = 0) -> np.ndarray:
        """Prepare one cloud.

        Args:
            points (np.ndarray): (N, 3) as the file has them.
            source (str): name of the cloud, for errors.
            seed (int): seed of the resampling, see :func:`~.readers.name_seed`.

        Returns:
            np.ndarray: (M, 3) float32.

        Raises:
            DatasetError: The cloud cannot be used; see :mod:`.checks`.
        """
        check_cloud(points, source)
        if is_rounded(points):
            warn_once(
                f"'{Path(source).parent}': clouds there were rounded when they were written in float32, far from the "
                'origin, so that they consist of steps; write them again in float64, or without the offset.'
            )
        if self.num_points is not None:
            points = resample(points, self.num_points, seed=seed)
        points = get_normalizer(self.normalize)(points[: self.max_points])
        check_prepared(points, source)
        return points.astype(np.float32)

    def read(self, path: Path, notes: Notes | None = None, *, place: Path | None = None) -> np.ndarray:
        """Read a file as it is read when it belongs to the dataset.

        Args:
            path (Path): cloud or mesh.
            notes (dict | None): as in :meth:`item`.
            place (Path | None): its name and that of its directory are the seed; None means those of ``path``.

        Returns:
            np.ndarray: (M, 3) float32.

        Raises:
            DatasetError: The file cannot be read or used; names it.
        """
        place = full(path) if place is None else place
        return self.item(self.read_file(path, place=place), f"'{path}'", place, notes)

    def item(self, raw: np.ndarray, source: str, place: Path, notes: Notes | None = None) -> np.ndarray:
        """Prepare one cloud as an item of the dataset, and say what it loses or repeats.

        Args:
            raw (np.ndarray): (N, 3) as the file has them.
            source (str): name of the cloud, for errors and messages.
            place (Path): its name and that of its directory are the seed.
            notes (dict | None): gets what is to be said of it, for :func:`say` to say it of several clouds at once;
                None says it now.

        Returns:
            np.ndarray: (M, 3) float32.

        Raises:
            DatasetError: The cloud cannot be used.
        """
        points = self(raw, source, seed=name_seed(place))
        if self.draw is not None:
            points = points[self.draw(len(points), f'/{place.parent.name}/{place.name}').numpy()]
        found: Notes = {} if notes is None else notes
        if len(raw) < len(points):
            rest = f'than the {len(points)} of the dataset; some are repeated.'
            of_one = f'has {len(raw)} points, fewer {rest}'
            found.setdefault(f'have fewer points {rest}', []).append((source, of_one))
        if self.max_points is not None and self.num_points is None and len(raw) > self.max_points:
            rest = f'of which the first {self.max_points} are used (max_points).'
            of_one = f'has {len(raw)} points, {rest}'
            found.setdefault(f'have more points, {rest}', []).append((source, of_one))
        if notes is None:
            say(found, 1)
        return points

    def read_file(self, path: Path, *, place: Path | None = None) -> np.ndarray:
        """All points (N, 3) float64 of a file, or points on a mesh: as many as an item has; ``place`` as in `read`."""
        drawn = None if self.draw is None else self.draw.num_points
        points = read_cloud(full(path), mesh_points=self.num_points or drawn or MESH_POINTS, place=place)
        check_is_cloud(points, path)
        return points


def preparation_of(config: Mapping[str, Any]) -> Preparation:
    """How the dataset that a config describes prepares its clouds; no file of it is read.

    Args:
        config (Mapping): config of a dataset, or of one that wraps others, such as ``RepeatDataset``.

    Raises:
        DatasetError: The class of the dataset does not say.
    """
    kind = class_of(DATASETS, config['type'])
    if hasattr(kind, 'preparation_from'):
        return kind.preparation_from({**_defaults(kind), **config})
    inner = config.get('dataset', config.get('datasets'))
    inner = inner[0] if isinstance(inner, (list, tuple)) and inner else inner
    if not isinstance(inner, Mapping):
        raise DatasetError(f'a dataset of type {config["type"]} does not say how it prepares a single cloud.')
    return preparation_of(inner)


def full(path: Path) -> Path:
    """The path from the root, so that ``chair.ply`` has a directory; links are not followed."""
    return Path(os.path.abspath(path))


def _defaults(kind: type) -> dict[str, Any]:
    """Defaults of a class's arguments, and of those that it hands on to its bases."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if '__init__' in vars(base) and base is not object:
            parameters = signature(base.__init__).parameters.values()  # type: ignore[misc]
            found |= {
                parameter.name: parameter.default
                for parameter in parameters
                if parameter.default is not parameter.empty
            }
    return found


def say(notes: Notes, total: int) -> None:
    """Log what clouds lose or repeat: a line for each kind.

    Args:
        notes (dict): From :meth:`Preparation.item`.
        total (int): Clouds that were read.
    """
    for of_several, clouds in notes.items():
        source, of_one = clouds[0]
        about = f'{source} {of_one}'
        if len(clouds) > 1:
            about = f'{len(clouds)} of {total} clouds, {source} among them, {of_several}'
        print_log(about, logger='current', level=30)
