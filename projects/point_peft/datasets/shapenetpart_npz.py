"""Reading of ShapeNetPart from one npz file per category and split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..io.errors import DatasetError
from ..io.naming import UnreadableError, naming
from ..io.required import require_path
from .clouds import Clouds
from .readers.npz import read_npz as read_arrays
from .shapenetpart_classes import CATEGORIES, ORIGIN, check_parts

PATTERN = '*_*.npz'
ARRAYS = ('pos', 'part', 'offsets')


def read_npz(root: Path, subsets: Sequence[str]) -> Clouds:
    """Read ``CATEGORY_SUBSET.npz`` for all categories that ``root`` has files of."""
    found = {path.stem.rsplit('_', 1)[0] for path in root.glob(PATTERN)}
    labels_of = {name.lower(): label for label, name in enumerate(CATEGORIES)}
    unknown = sorted(found - set(labels_of))
    if unknown:
        raise DatasetError(
            f"'{root}' has files of '{unknown[0]}', which is no category; expected CATEGORY_SPLIT.npz with a "
            f'category of {", ".join(labels_of)}.'
        )
    points: list[np.ndarray] = []
    parts: list[np.ndarray] = []
    labels: list[int] = []
    sources: list[str] = []
    for subset in subsets:
        for name in sorted(found, key=lambda name: labels_of[name]):
            path = require_path(root / f'{name}_{subset}.npz', dataset='ShapeNetPart', origin=ORIGIN)
            clouds, ids = read_npz_file(path, labels_of[name])
            points += clouds
            parts += ids
            labels += [labels_of[name]] * len(clouds)
            sources += [f'{path}[{index}]' for index in range(len(clouds))]
    return Clouds(points=points, labels=np.array(labels, dtype=np.int64), sources=sources, parts=parts)


def read_npz_file(path: Path, category: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Read the objects of one category from ``pos`` (T, 3), ``part`` (T,) and ``offsets`` (M + 1,).

    Returns:
        tuple[list[np.ndarray], list[np.ndarray]]: M clouds (N_i, 3) float32 or float64, and their global
            part ids (N_i,) uint8.
    """
    with naming(path, 'npz'):
        points, parts, offsets = _read_checked(path)
    clouds = np.split(np.asarray(points, dtype=np.result_type(points.dtype, np.float32)), offsets[1:-1])
    ids = [
        check_parts(labels, category, f'{path}[{index}]')
        for index, labels in enumerate(np.split(parts, offsets[1:-1]))
    ]
    return clouds, ids


def _read_checked(path: Path) -> list[np.ndarray]:
    """The arrays, which fit together."""
    arrays = read_arrays(path, ARRAYS)
    points, parts, offsets = (arrays[name] for name in ARRAYS)
    if (
        points.ndim != 2
        or points.shape[1] != 3
        or points.dtype.kind not in 'iuf'
        or parts.shape != points.shape[:1]
    ):
        raise UnreadableError(
            f'has points of shape {points.shape} ({points.dtype}) and labels of shape {parts.shape}; expected '
            '(points, 3) and one label per point.'
        )
    if offsets.ndim != 1 or len(offsets) < 2 or offsets.dtype.kind not in 'iu':
        raise UnreadableError(
            f'has offsets of shape {offsets.shape} and type {offsets.dtype}; write it again.'
        )
    sizes = np.diff(offsets.astype(np.int64))
    if offsets[0] != 0 or offsets[-1] != len(points) or sizes.min() < 0:
        raise UnreadableError(
            f'has offsets that do not run from 0 to its {len(points)} points; write it again.'
        )
    if sizes.min() == 0:
        raise DatasetError(f"'{path}[{int(np.argmin(sizes))}]' is an empty object; take it out of the file.")
    return [points, parts, offsets]
