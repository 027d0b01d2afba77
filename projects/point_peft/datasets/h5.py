"""Reading of the ``data``/``label`` h5 files of ModelNet and ScanObjectNN."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..io.errors import DatasetError
from ..io.h5 import open_h5, read_array
from ..io.naming import UnreadableError
from .clouds import Clouds
from .labels import whole_labels
from .readers.layout import check_layout

DATA_KEY = 'data'
LABEL_KEY = 'label'
EXPECTED = f"'{DATA_KEY}' and '{LABEL_KEY}' as in the published files"


def read_h5(path: Path) -> Clouds:
    """Read one file.

    Args:
        path (Path): file with ``data`` (M, N, >= 3) and ``label`` (M,) or (M, 1).

    Returns:
        Clouds: coordinates (M, N, 3) float32, or float64 where the file has that or integers; labels (M,) int64;
            sources ``path[i]``.

    Raises:
        DatasetNotFoundError: no such file.
        DatasetError: the file is truncated or not h5, refers to others, a key is missing, a shape is wrong, or a
            label is no whole number.
    """
    with open_h5(path) as file:
        data, labels = (read_array(file, key, EXPECTED) for key in (DATA_KEY, LABEL_KEY))
        if data.ndim != 3 or data.shape[-1] < 3:
            raise UnreadableError(f'has {DATA_KEY} of shape {data.shape}; expected (objects, points, 3).')
        check_layout(data.shape)
        if labels.size != len(data):
            raise UnreadableError(
                f'has {labels.size} labels for {len(data)} objects; expected one per object.'
            )
    sources = [f'{path}[{index}]' for index in range(len(data))]
    return Clouds(
        points=np.ascontiguousarray(data[..., :3], dtype=np.result_type(data.dtype, np.float32)),
        labels=whole_labels(labels.reshape(-1), sources),
        sources=sources,
    )


def concatenate(clouds: list[Clouds]) -> Clouds:
    """Join files of one subset, which must have the same number of points per object.

    Raises:
        DatasetError: the number of points differs.
    """
    if len(clouds) == 1:
        return clouds[0]
    stacks = [np.asarray(part.points) for part in clouds]
    sizes = {stack.shape[1] for stack in stacks}
    if len(sizes) > 1:
        raise DatasetError(
            f'{clouds[0].sources[0]} and the files after it have different numbers of points '
            f'{sorted(sizes)}; use files of one resolution.'
        )
    return Clouds(
        points=np.concatenate(stacks),
        labels=np.concatenate([part.labels for part in clouds]),
        sources=[source for part in clouds for source in part.sources],
    )
