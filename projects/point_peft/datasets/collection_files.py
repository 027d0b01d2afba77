"""Reading of collections: an h5 file, or a folder of meshes and clouds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..io.errors import DatasetError
from ..io.progress import track
from .preparation import Notes, Preparation, say
from .readers import SUFFIXES

FOLDER_POINTS = 2048
"""Points kept of every file of a folder."""


@dataclass(frozen=True)
class Collection:
    """Objects as they were read.

    Attributes:
        points (np.ndarray): (M, N, 3) float16 within the unit sphere.
        names (tuple[str, ...]): M names.
        up (str | None): axis that points up; None where the files do not say.
        licence_class (np.ndarray | None): (M,) integers, where the file has them.
    """

    points: np.ndarray
    names: tuple[str, ...]
    up: str | None = None
    licence_class: np.ndarray | None = None

    def of_licences(self, wanted: Sequence[int]) -> Collection:
        """The objects whose ``licence_class`` is one of ``wanted``.

        Raises:
            DatasetError: the file has no such field.
        """
        if self.licence_class is None:
            raise DatasetError(
                f'licence_classes={list(wanted)} is asked for, but {self.names[0]!r} and the objects after it come '
                "without 'licence_class'; set licence_classes=None if you may use them all."
            )
        index = np.flatnonzero(np.isin(self.licence_class, list(wanted)))
        return Collection(
            self.points[index], tuple(self.names[i] for i in index), self.up, self.licence_class[index]
        )


def read_collection(path: Path) -> Collection:
    """Read an h5 file or a folder; see :class:`~point_peft.datasets.PointCollection`.

    Raises:
        DatasetError: it cannot be read, or holds nothing.
    """
    return read_folder(path) if path.is_dir() else read_h5_collection(path)


def read_h5_collection(path: Path) -> Collection:
    """Read a file with ``data`` and ``name``."""
    try:
        with h5py.File(path, 'r') as file:
            data, names = _field(file, 'data', path), _field(file, 'name', path)
            licence_class = file['licence_class'][()] if 'licence_class' in file else None
            up = file.attrs.get('up')
    except OSError as error:
        raise DatasetError(
            f"'{path}' cannot be read as h5 ({error}); it is truncated or not an h5 file: get it again."
        ) from error
    if data.ndim != 3 or data.shape[-1] != 3:
        raise DatasetError(f"'{path}' has data of shape {data.shape}; expected (objects, points, 3).")
    for key, values in (('name', names), ('licence_class', licence_class)):
        if values is not None and len(values) != len(data):
            raise DatasetError(f"'{path}' has {len(values)} values of '{key}' for {len(data)} objects.")
    names = tuple(name.decode() if isinstance(name, bytes) else str(name) for name in names)
    return Collection(
        to_unit_sphere(data, [f"'{path}'[{index}] ({name})" for index, name in enumerate(names)]),
        names,
        up.decode() if isinstance(up, bytes) else up,
        None if licence_class is None else np.asarray(licence_class).reshape(-1),
    )


def read_folder(root: Path) -> Collection:
    """Read every mesh and cloud below a folder; the path below it is an object's name, and decides on its points."""
    files = sorted(path for path in root.rglob('*') if path.suffix.lower() in SUFFIXES)
    if not files:
        raise DatasetError(
            f"'{root}' holds no mesh or cloud; expected files with one of the suffixes {', '.join(SUFFIXES)}."
        )
    preparation = Preparation(normalize='unit_sphere', num_points=FOLDER_POINTS)
    points = np.empty((len(files), FOLDER_POINTS, 3), dtype=np.float16)
    notes: Notes = {}
    for row, path in enumerate(track(files, f'Reading {root.name}')):
        # Below the root, so that an object has the same points whatever the folder is called.
        points[row] = preparation.read(path, notes, place=Path('/') / path.relative_to(root))
    say(notes, len(files))
    return Collection(points, tuple(str(path.relative_to(root)) for path in files))


def to_unit_sphere(data: np.ndarray, sources: Sequence[str]) -> np.ndarray:
    """Clouds (M, N, 3) of any number type within the unit sphere, as float16: 2 * 10^-4 is enough to train on.

    Raises:
        DatasetError: a cloud cannot be used; named by its source.
    """
    preparation = Preparation(normalize='unit_sphere')
    points = np.empty(data.shape, dtype=np.float16)
    for row, source in enumerate(sources):
        points[row] = preparation(data[row].astype(np.float64), source)
    return points


def _field(file: h5py.File, key: str, path: Path) -> Any:
    """Read one key or say which keys there are."""
    if not isinstance(file.get(key), h5py.Dataset):
        raise DatasetError(f"'{path}' has no array '{key}' (it has {sorted(file)}); see docs/pretraining.md.")
    return file[key][()]
