"""Reading of ShapeNetPart's files in its two published layouts, through a cache."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..io.errors import DatasetError
from ..io.progress import track
from ..io.required import require_path
from .cache import cached_arrays
from .clouds import Clouds
from .readers import read_text
from .shapenetpart_classes import CATEGORIES, CATEGORY_OF_SYNSET, CATEGORY_PARTS, ORIGIN, SYNSETS, check_parts

SPLIT_DIR = 'train_test_split'


@dataclass(frozen=True)
class ListedObject:
    """An object named in a split list.

    Attributes:
        category (int): label of its category.
        points (Path): file of its points.
        labels (Path | None): file of its part labels, if that is another one.
    """

    category: int
    points: Path
    labels: Path | None


def read_lists(root: Path, subsets: Sequence[str]) -> Clouds:
    """Read all objects that the lists of some subsets (``train``, ``val``, ``test``) name.

    Args:
        root (Path): directory of the dataset.
        subsets (Sequence[str]): published subsets to join.

    Returns:
        Clouds: lists of (N_i, 3) float64 points and (N_i,) uint8 global part ids.

    Raises:
        DatasetNotFoundError: a split list or an object is missing.
        DatasetError: a list, a synset, an object or a part label cannot be used.
    """
    objects = [item for subset in subsets for item in list_objects(root, subset)]
    if not objects:
        return Clouds(points=[], labels=np.empty(0, dtype=np.int64), sources=[], parts=[])
    files = [file for item in objects for file in (item.points, item.labels) if file is not None]
    arrays = cached_arrays(
        root,
        files,
        lambda: _read_objects(root, objects),
        names=('points', 'parts', 'sizes'),
        key='part-float64',
    )
    bounds = np.cumsum(arrays['sizes'])[:-1]
    return Clouds(
        points=np.split(arrays['points'], bounds),
        labels=np.array([item.category for item in objects], dtype=np.int64),
        sources=[str(item.points) for item in objects],
        parts=np.split(arrays['parts'], bounds),
    )


def list_objects(root: Path, subset: str) -> list[ListedObject]:
    """Objects that the published list of ``subset`` names as ``shape_data/SYNSET/ID``."""
    path = require_path(
        root / SPLIT_DIR / f'shuffled_{subset}_file_list.json', dataset='ShapeNetPart', origin=ORIGIN
    )
    try:
        entries = [str(entry).split('/')[-2:] for entry in json.loads(path.read_text())]
        pairs = [(synset, name) for synset, name in entries]
    except (ValueError, TypeError) as error:
        raise DatasetError(
            f"'{path}' is not a list of 'shape_data/SYNSET/ID' ({error}); unpack the dataset again."
        ) from error
    unknown = next((synset for synset, _ in pairs if synset not in SYNSETS), None)
    if unknown is not None:
        raise DatasetError(
            f"'{path}' lists an object of synset '{unknown}', which is none of the 16 categories "
            f'({", ".join(SYNSETS)}); correct the list.'
        )
    has_point_files = any(root.glob('*/points'))
    return [_locate(root, synset, name, has_point_files) for synset, name in pairs]


def _locate(root: Path, synset: str, name: str, has_point_files: bool) -> ListedObject:
    """Files of one object."""
    folder, category = root / synset, CATEGORY_OF_SYNSET[synset]
    if has_point_files:
        return ListedObject(
            category, folder / 'points' / f'{name}.pts', folder / 'points_label' / f'{name}.seg'
        )
    return ListedObject(category, folder / f'{name}.txt', None)


def _read_objects(root: Path, objects: Sequence[ListedObject]) -> dict[str, np.ndarray]:
    """Points and parts of all objects in one array each, and the number of points of every object."""
    pairs = [read_object(item) for item in track(objects, f'Reading {root.name}')]
    return dict(
        points=np.concatenate([points for points, _ in pairs]),
        parts=np.concatenate([parts for _, parts in pairs]),
        sizes=np.array([len(points) for points, _ in pairs]),
    )


def read_object(item: ListedObject) -> tuple[np.ndarray, np.ndarray]:
    """Read one object of either published layout.

    Returns:
        tuple[np.ndarray, np.ndarray]: (N, 3) float64 points and (N,) uint8 global part ids.
    """
    allowed = CATEGORY_PARTS[CATEGORIES[item.category]]
    if not item.points.read_bytes().strip():
        raise DatasetError(f"'{item.points}' is an empty object; unpack it again or take it off the lists.")
    if item.labels is None:
        table = read_text(item.points, columns=(0, 1, 2, 6), expected="rows 'x y z nx ny nz part'")
        points, labels, shift = table[:, :3], table[:, 3], 0
        source = item.points
    else:
        points = read_text(item.points)
        is_empty = not item.labels.read_bytes().strip()
        labels = np.empty(0) if is_empty else read_text(item.labels, (0,), 'one part label per row')[:, 0]
        shift, source = allowed[0] - 1, item.labels  # labels of these files count from 1 in every category
        if len(labels) != len(points):
            raise DatasetError(
                f"'{item.points}' has {len(points)} points but '{item.labels}' has {len(labels)} labels; "
                'unpack the dataset again.'
            )
    return points, check_parts(labels, item.category, str(source), shift=shift)
