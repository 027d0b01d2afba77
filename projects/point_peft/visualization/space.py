"""Places of points and boxes in a space whose y axis points up."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..io.errors import InvalidValueError

Up = Literal['y', 'z']
"""The axis that points up: y for objects, z for rooms."""

CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
"""(8, 3) corners of a box of size 1 around the origin."""

EDGES = np.array([(i, j) for i in range(8) for j in range(i) if np.abs(CORNERS[i] - CORNERS[j]).sum() == 1])
"""(12, 2) corners that each edge joins."""


def upright(points: np.ndarray, up: Up) -> np.ndarray:
    """Turn coordinates (..., 3) about x so that y points up."""
    return points if up == 'y' else np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def box_edges(boxes: np.ndarray, up: Up) -> np.ndarray:
    """Wireframes of boxes.

    Args:
        boxes (np.ndarray): (M, 7) center, size along x, y and z, and rotation about the up axis in radians,
            counterclockwise as seen from above.
        up (str): The axis that points up.

    Returns:
        np.ndarray: (M, 12, 2, 3) both ends of every edge.

    Raises:
        ValueError: The boxes are not (M, 7).
    """
    if boxes.ndim != 2 or boxes.shape[1] != 7:
        raise InvalidValueError(f'boxes have shape {boxes.shape}; expected (number of boxes, 7).')
    corners = CORNERS * boxes[:, None, 3:6]  # (M, 8, 3)
    cosine, sine = np.cos(boxes[:, 6:]), np.sin(boxes[:, 6:])
    first, second = (2, 0) if up == 'y' else (0, 1)  # a right-handed turn takes the first axis to the second
    turned = corners.copy()
    turned[..., first] = cosine * corners[..., first] - sine * corners[..., second]
    turned[..., second] = sine * corners[..., first] + cosine * corners[..., second]
    return (turned + boxes[:, None, :3])[:, EDGES]
