"""Reading of the text files of ``modelnet40_normal_resampled``, through a cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..io.errors import DatasetError
from .cache import cached_clouds
from .checks import check_cloud
from .clouds import Clouds
from .readers import read_text


def read_modelnet_txt(
    root: Path, names: Sequence[str], *, classes: tuple[str, ...], max_points: int | None
) -> Clouds:
    """Read ``root/class/class_0001.txt`` for every name ``class_0001``.

    Args:
        root (Path): directory of the dataset.
        names (Sequence[str]): object names, as listed in ``modelnet40_train.txt``.
        classes (tuple[str, ...]): class names in label order.
        max_points (int | None): points to keep of each file (10 000 in the published ones).

    Raises:
        DatasetError: a name has an unknown class, or a file is missing or malformed.
    """
    labels = [_label(name, classes) for name in names]
    files = [root / classes[label] / f'{name}.txt' for name, label in zip(names, labels)]
    points = cached_clouds(
        root, files, lambda path: _read(path, max_points), key=f'modelnet-float64-{max_points}'
    )
    return Clouds(
        points=points, labels=np.asarray(labels, dtype=np.int64), sources=[str(path) for path in files]
    )


def _read(path: Path, max_points: int | None) -> np.ndarray:
    """The first points of a file, of which all must be in order."""
    points = read_text(path)
    check_cloud(points, str(path))
    return points[:max_points]


def _label(name: str, classes: tuple[str, ...]) -> int:
    """Class index of an object name such as ``night_stand_0012``."""
    category = name.rsplit('_', 1)[0]
    if category not in classes:
        raise DatasetError(f"object '{name}' is of no known class; expected one of {', '.join(classes)}.")
    return classes.index(category)
