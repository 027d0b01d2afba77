"""Which axis points up."""

from __future__ import annotations

import numpy as np

from ..io.errors import InvalidValueError

UP_AXES = ('x', 'y', 'z')


def check_up(axis: str) -> str:
    """Return ``axis`` if it is one of :data:`UP_AXES`.

    Raises:
        ValueError: it is not.
    """
    if axis not in UP_AXES:
        raise InvalidValueError(f"up='{axis}' is unknown; choose one of {', '.join(UP_AXES)}.")
    return axis


def turn_up(points: np.ndarray, source: str, target: str) -> np.ndarray:
    """Turn clouds so that another axis points up.

    The axes are exchanged in a cycle, which is a rotation: z up gives y up by (x, y, z) -> (y, z, x).

    Args:
        points (np.ndarray): (..., 3) coordinates.
        source (str): axis that points up in them.
        target (str): axis that is to point up.

    Returns:
        np.ndarray: (..., 3).
    """
    shift = UP_AXES.index(check_up(target)) - UP_AXES.index(check_up(source))
    return np.roll(points, shift, axis=-1)
