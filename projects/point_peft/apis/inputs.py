"""What clouds may be given as: files, directories and arrays, in any order; and how they are read and prepared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor

from ..datasets.checks import check_cloud
from ..datasets.class_files import JUNK
from ..datasets.companions import MIN_POINTS
from ..datasets.preparation import Notes, Preparation, say
from ..datasets.readers import MESH_POINTS, SUFFIXES
from ..io.errors import DatasetError, DatasetNotFoundError, InvalidValueError, PointPEFTError
from ..io.text import printable
from .answers import Answer

Cloud: TypeAlias = 'str | Path | np.ndarray | Tensor'
Inputs: TypeAlias = 'Cloud | Iterable[Cloud]'

USUAL_RADIUS = (0.25, 4.0)
"""Distances of the farthest point from the origin that clouds near the unit sphere have."""

ARRAY = Path('/array')
"""Name from which arrays have the seed of their resampling: one for all, so that only the points count."""


class Given(NamedTuple):
    """One cloud that was given.

    Attributes:
        position (int): Which of the inputs it is, or lies in.
        item (Path | np.ndarray): File, or array as it was given.
    """

    position: int
    item: Path | np.ndarray

    @property
    def source(self) -> str:
        """What it is called."""
        return str(self.item) if isinstance(self.item, Path) else f'array {self.position}'


def read_cloud(path: str | Path, *, mesh_points: int = MESH_POINTS) -> np.ndarray:
    """Read one cloud or mesh, of any format that the data sets read.

    Args:
        path (str | Path): The file; ``~`` is the home directory.
        mesh_points (int): Points to sample on the surface of a mesh, with a seed made from the file's name.

    Returns:
        np.ndarray: (N, 3) float64, the coordinates as the file has them: neither moved nor scaled.

    Raises:
        DatasetNotFoundError: There is no such file.
        DatasetError: It cannot be read, or holds no cloud; names the file.
    """
    path = Path(path).expanduser()
    check_exists(path)
    return Preparation(num_points=mesh_points).read_file(path)


def check_exists(*paths: Path) -> None:
    """Check that something is there.

    Raises:
        DatasetNotFoundError: None of the files and directories exists.
    """
    if not any(path.exists() for path in paths):
        others = f', nor does any other of the {len(paths)} paths' if len(paths) > 1 else ''
        raise DatasetNotFoundError(f"'{printable(paths[0])}' does not exist{others}; check the path.")


def listed(inputs: Inputs, suffixes: Sequence[str] = SUFFIXES) -> list[Given]:
    """Clouds one by one, in the order of the inputs; the files of a directory by name.

    Args:
        inputs: A path, an array (N, 3), several of them as (B, N, 3), or a list of paths and arrays (N, 3).
        suffixes (Sequence[str]): Of the files that count in a directory.

    Raises:
        DatasetError: A directory has no cloud.
        InvalidValueError: There is nothing, or something else.
    """
    items: list[Any] = [inputs]
    if isinstance(inputs, (np.ndarray, Tensor)):
        items = list(inputs) if inputs.ndim == 3 else items
    elif isinstance(inputs, Iterable) and not isinstance(inputs, str):
        items = list(inputs)
    if not items:
        raise InvalidValueError(
            'there is no cloud; give a file, a directory or an array (number of points, 3).'
        )
    found = []
    for position, item in enumerate(items):
        if isinstance(item, (str, Path)):
            found += [Given(position, path) for path in find_files([Path(item).expanduser()], suffixes)]
        elif isinstance(item, (np.ndarray, Tensor)):
            found.append(Given(position, _as_array(item)))
        else:
            raise InvalidValueError(
                f'input {position} is a {type(item).__name__}; give a path, or an array or tensor of shape (number of '
                'points, 3).'
            )
    return found


def find_files(paths: Sequence[Path], suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """Files as they are given; of directories, all clouds and meshes in and below them, by name.

    Hidden files, and what systems put into directories, are passed over.

    Raises:
        DatasetError: A directory has none.
    """
    found = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = [file for file in sorted(path.rglob('*')) if _is_shown(file.relative_to(path))]
        clouds = [file for file in inside if file.suffix.lower() in suffixes and file.is_file()]
        if not clouds:
            raise DatasetError(f"'{path}' holds no cloud; expected files that end in {', '.join(suffixes)}.")
        found += clouds
    return found


def read_clouds(preparation: Preparation, given: Sequence[Given]) -> list[Answer]:
    """Clouds as the dataset would have them, with one warning if they have too few points, or are of unusual size.

    Args:
        preparation (Preparation): What the dataset does to a cloud.
        given (Sequence[Given]): The clouds.

    Returns:
        list[Answer]: With ``points`` (N, 3) float32, or with the problem of a file.

    Raises:
        DatasetError: An array cannot be used; names it.
    """

    def read(one: Given) -> np.ndarray:
        if isinstance(one.item, Path):
            return preparation.read(one.item, notes)
        check_array(one.item, one.source)
        return preparation.item(one.item.astype(np.float64), one.source, ARRAY, notes)

    notes: Notes = {}
    answers = read_each(given, read)
    say(notes, len(answers))
    if preparation.normalize is None:
        _warn_of_sizes([answer for answer in answers if answer.points is not None])
    return answers


def read_each(given: Sequence[Given], read: Callable[[Given], np.ndarray]) -> list[Answer]:
    """Read inputs one by one: the problem of a file is kept with it, that of an array is the caller's and raised."""
    answers = []
    for one in given:
        answer = Answer(one.source, one.position, in_memory=not isinstance(one.item, Path))
        answers.append(answer)
        try:
            if isinstance(one.item, Path):
                check_exists(one.item)
            answer.points = torch.from_numpy(read(one))
        except (PointPEFTError, OSError) as error:
            if answer.in_memory:
                raise
            answer.problem = error
    return answers


def check_array(points: np.ndarray, source: str) -> None:
    """Check that an array is a cloud.

    Raises:
        DatasetError: It has another shape, a NaN, no extent, or too few points.
    """
    check_cloud(points, source)
    if len(points) < MIN_POINTS:
        raise DatasetError(f'{source} has {len(points)} points; a cloud has at least {MIN_POINTS}.')


def _as_array(item: np.ndarray | Tensor) -> np.ndarray:
    """A tensor of any device and precision as an array."""
    if not isinstance(item, Tensor):
        return item
    item = item.detach().cpu()
    return (item.double() if item.is_floating_point() else item).numpy()


def _warn_of_sizes(answers: Sequence[Answer]) -> None:
    """Say once that clouds are far from the unit sphere and stay so."""
    radii = {
        answer.source: float(answer.points.norm(dim=1).max())
        for answer in answers
        if answer.points is not None
    }
    odd = [source for source, radius in radii.items() if not USUAL_RADIUS[0] <= radius <= USUAL_RADIUS[1]]
    if odd:
        print_log(
            f"{len(odd)} of {len(answers)} clouds, '{printable(odd[0])}' among them, reach {radii[odd[0]]:.4g} from "
            'the origin and stay so, as the dataset does not normalise; if its own files are in the unit sphere, give '
            "--normalize unit_sphere (in Python normalize='unit_sphere').",
            logger='current',
            level=30,
        )


def _is_shown(path: Path) -> bool:
    """Whether a path below a directory is meant to be seen."""
    return not any(part.startswith('.') or part.lower() in JUNK for part in path.parts)
