"""Clouds as small pictures, drawn by the page itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..visualization import project

POINTS = 400
"""Points of a small picture; evenly picked ones of the cloud's."""


def thumbnail(points: np.ndarray) -> dict[str, Any]:
    """What the page draws: places within a square and shades, from the side that pictures are seen from.

    Args:
        points (np.ndarray): (N, 3), y up.

    Returns:
        dict: ``x`` and ``y`` from 0 to 100, to the right and down, and ``shade`` from 0 (far) to 9 (near), a list each,
        the nearest points last.
    """
    picked = points[np.linspace(0, len(points) - 1, min(POINTS, len(points))).round().astype(int)]
    plane, nearness = project(picked.astype(np.float64))
    order = np.argsort(nearness)
    middle = (plane.max(axis=0) + plane.min(axis=0)) / 2
    half = float(np.abs(plane - middle).max()) or 1.0
    places = 50 + 47 * (plane - middle)[order] / half * [1, -1]
    span = float(np.ptp(nearness)) or 1.0
    shades = 9 * (nearness[order] - nearness.min()) / span
    x, y = places.round().astype(int).T.tolist()
    return dict(x=x, y=y, shade=shades.round().astype(int).tolist())
