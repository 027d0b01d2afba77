"""Files that lie beside clouds, have a suffix of clouds and are none: poses, camera matrices, labels, notes."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import numpy as np

from ..io.errors import DatasetError

ALWAYS = frozenset(
    [
        *('pose', 'poses', 'trajectory', 'matrix', 'transform', 'calib', 'calibration'),
        *('intrinsic', 'intrinsics', 'extrinsic', 'extrinsics', 'label', 'labels', 'bbox', 'bboxes'),
        *('metadata', 'readme', 'license', 'licence'),
    ]
)
"""Last words of names that no cloud has, unless its class has them too."""

BESIDE = frozenset(
    [
        *('normal', 'normals', 'color', 'colors', 'colour', 'colours', 'rgb', 'seg', 'segmentation'),
        *('camera', 'meta', 'info'),
    ]
)
"""Last words of names that speak of another file, if there is one of the name before them."""

TABLES = ('.txt', '.xyz', '.npy', '.csv', '.pts', '.asc')
"""Suffixes that say nothing about what the numbers are."""

MIN_POINTS = 5
"""Fewer rows are a pose, a camera matrix or the corners of something."""


def refuse_companion(path: Path, stems: Collection[str]) -> None:
    """Refuse a file whose name says that it is no cloud.

    Args:
        path (Path): the file, in the directory of its class.
        stems (Collection[str]): names without suffix of all clouds in the directory.

    Raises:
        DatasetError: it is something else about clouds, such as ``chair_pose.txt``, ``labels.txt``, ``README.txt``.
    """
    if path.suffix.lower() not in TABLES:
        return
    words = _words(path.stem)
    last = words[-1]
    rest = path.stem[: path.stem.lower().rfind(last)].rstrip('_-. ')
    tells = last in ALWAYS or words[0] in ('readme', 'license')
    if (tells and last not in _words(path.parent.name)) or (last in BESIDE and rest in stems):
        raise DatasetError(
            f"'{path}' lies among the clouds of its class, but its name says that it is none; move it out of the "
            'class directory, or rename it if it is a cloud.'
        )


def check_is_cloud(points: np.ndarray, path: Path) -> None:
    """Check that what was read from a file may be a cloud.

    Args:
        points (np.ndarray): (N, 3) the first three numbers of every row.
        path (Path): where they came from.

    Raises:
        DatasetError: they are a matrix or a list of poses.
    """
    found = None
    if len(points) < MIN_POINTS:
        found = f'{len(points)} rows, as a pose (4 x 4) or a camera matrix (3 x 3) has'
    elif len(points) % 4 == 0 and not points[3::4].any():
        found = f'{len(points) // 4} poses (4 x 4)'
    if found is not None:
        raise DatasetError(
            f"'{path}' holds {found}, and no cloud; move it away from the clouds (a cloud has at least {MIN_POINTS} "
            'points).'
        )


def _words(name: str) -> list[str]:
    """Words of a name in lower case, ``['chair', 'pose']`` of ``chairPose_01``; numbers count only if all are."""
    parts = re.split(r'[\W_\d]+', re.sub(r'([a-z])([A-Z])', r'\1_\2', name))
    return [part.lower() for part in parts if part] or ['']
