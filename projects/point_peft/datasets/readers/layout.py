"""Which arrays are tables of points."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...io.naming import UnreadableError
from ...io.reading import check_count

MAX_COLUMNS = 12
"""Most columns that an array with fewer points than columns may have."""

LAYOUT = 'expected numbers (points, 3) with at least one point'


def axis_fields(names: Iterable[str] | None) -> list[str]:
    """Which of the fields of a point are x, y and z; some programs write them in capitals.

    Args:
        names (Iterable[str] | None): names of the fields; None has no fields.

    Returns:
        list[str]: the three names as they are in the file; empty if one is missing.
    """
    there = set(names or ())
    found = [name if name in there else name.upper() for name in 'xyz']
    return found if there.issuperset(found) else []


def coordinates(array: np.ndarray) -> np.ndarray:
    """First three columns of a table of points.

    Args:
        array (np.ndarray): what a file holds.

    Returns:
        np.ndarray: (N, 3) float64.

    Raises:
        UnreadableError: no table of real numbers with a row per point.
    """
    if array.ndim != 2 or len(array) == 0 or array.shape[1] < 3 or array.dtype.kind not in 'iuf':
        raise UnreadableError(f'holds an array of shape {array.shape} and type {array.dtype}; {LAYOUT}.')
    check_layout(array.shape)
    check_count(len(array), 'points')
    return np.ascontiguousarray(array[:, :3], dtype=np.float64)


def check_layout(shape: tuple[int, ...]) -> None:
    """Refuse tables with a row per coordinate, and matrices.

    Three rows are refused even where three columns would fit, and four of four: it may be a rotation, a camera or a
    pose, as scanners write them beside clouds, and so few points are no object.

    Args:
        shape (tuple[int, ...]): (..., rows, columns).

    Raises:
        UnreadableError: three rows, four of four columns, or many columns and fewer rows.
    """
    rows, columns = shape[-2:]
    if rows == 3 or (rows, columns) == (4, 4) or (rows < columns and columns > MAX_COLUMNS):
        raise UnreadableError(
            f'holds an array of shape {shape}, which looks like a row per coordinate, or a matrix; expected one row '
            'per point, (points, 3): transpose it, or move it out of the directory.'
        )
