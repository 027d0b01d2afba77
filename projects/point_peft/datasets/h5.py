"""Reading of the ``data``/``label`` h5 files of ModelNet and ScanObjectNN."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from .clouds import Clouds
from .errors import DatasetError

DATA_KEY = 'data'
LABEL_KEY = 'label'


def read_h5(path: Path) -> Clouds:
    """Read one file.

    Args:
        path (Path): file with ``data`` (M, N, >= 3) and ``label`` (M,) or (M, 1).

    Returns:
        Clouds: coordinates (M, N, 3) float32, or float64 where the file has that or integers, labels (M,) int64, sources ``path[i]``.

    Raises:
        DatasetError: the file is truncated or not h5, a key is missing, or a shape is wrong.
    """
    try:
        with h5py.File(path, 'r') as file:
            data, labels = _dataset(file, DATA_KEY, path), _dataset(file, LABEL_KEY, path)
    except OSError as error:
        raise DatasetError(
            f"'{path}' cannot be read as h5 ({error}); it is truncated or not an h5 file: download it again."
        ) from error
    if data.ndim != 3 or data.shape[-1] < 3:
        raise DatasetError(f"'{path}' has {DATA_KEY} of shape {data.shape}; expected (objects, points, 3).")
    if labels.size != len(data):
        raise DatasetError(
            f"'{path}' has {labels.size} labels for {len(data)} objects; expected one per object."
        )
    return Clouds(
        points=np.ascontiguousarray(data[..., :3], dtype=np.result_type(data.dtype, np.float32)),
        labels=labels.reshape(-1).astype(np.int64),
        sources=[f'{path}[{index}]' for index in range(len(data))],
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


def _dataset(file: h5py.File, key: str, path: Path) -> np.ndarray:
    """Read one key or say which keys there are."""
    if key not in file:
        raise DatasetError(
            f"'{path}' has no key '{key}' (it has {sorted(file)}); expected '{DATA_KEY}' and "
            f"'{LABEL_KEY}' as in the published files."
        )
    if not isinstance(file[key], h5py.Dataset):
        raise DatasetError(f"'{path}' has a group named '{key}'; expected an array.")
    return file[key][()]
