"""Places for pieces of furniture in a room, so that none stands in another."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

COVERAGE = (0.15, 0.35)
"""Share of the floor that the furniture takes up."""

ASPECT = (0.7, 1.4)
"""Length of a room by its width."""

GAP = 0.05
"""Distance in metres that pieces keep from each other and from the walls."""

TRIES = 64
"""Random places that are looked at together for one piece."""

GROWTH = 1.1
"""Factor by which a room grows in which no place was found."""


def place(footprints: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Find a place and a heading for every piece, and a room that is large enough.

    Args:
        footprints (np.ndarray): (M, 2) length along the heading and width, in metres.
        rng (Generator): decides everything.

    Returns:
        tuple[np.ndarray, np.ndarray]: (M, 5) rectangles (x, y, length, width, yaw) in metres and radians, the yaw
        from +x towards +y in [-pi, pi); and the length and width (2,) of the room about the origin.
    """
    aspect = rng.uniform(*ASPECT)
    area = footprints.prod(axis=1).sum() / rng.uniform(*COVERAGE)
    room = np.sqrt(area * np.array([aspect, 1 / aspect]))
    while (rectangles := _place_all(footprints + GAP, room, rng)) is None:
        room = room * GROWTH
    rectangles[:, 2:4] = footprints
    return rectangles, room


def apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Whether rectangles do not touch, by the separating axis theorem: an edge of one has the other behind it.

    Args:
        first (np.ndarray): (..., 5) rectangles (x, y, length, width, yaw).
        second (np.ndarray): (..., 5) rectangles; the leading dimensions are broadcast.

    Returns:
        np.ndarray: (...) bool.
    """
    return _behind_an_edge(first, second) | _behind_an_edge(second, first)


def _behind_an_edge(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether the other rectangle lies beyond an edge of the own one; (...) bool."""
    axes, other_axes = _axes(own[..., 4]), _axes(other[..., 4])
    distance = np.abs(np.einsum('...ij,...j->...i', axes, other[..., :2] - own[..., :2]))
    shadow = np.abs(np.einsum('...ij,...kj->...ik', axes, other_axes))  # of the other's edges on the own axes
    reach = own[..., 2:4] / 2 + np.einsum('...ik,...k->...i', shadow, other[..., 2:4] / 2)
    return (distance > reach).any(axis=-1)


def _axes(yaw: np.ndarray) -> np.ndarray:
    """Unit vectors (..., 2, 2) along length and width, as rows."""
    cosine, sine = np.cos(yaw), np.sin(yaw)
    return np.stack([np.stack([cosine, sine], axis=-1), np.stack([-sine, cosine], axis=-1)], axis=-2)


def _place_all(footprints: np.ndarray, room: np.ndarray, rng: Generator) -> np.ndarray | None:
    """Rectangles (M, 5) in the room, large ones placed first; None if one found no place."""
    placed = np.empty((0, 5))
    order = np.argsort(-footprints.prod(axis=1), kind='stable')
    for footprint in footprints[order]:
        tries = _random_rectangles(footprint, room, rng)
        free = apart(tries[:, None], placed[None]).all(axis=1)
        if not free.any():
            return None
        placed = np.concatenate([placed, tries[free][:1]])
    return placed[np.argsort(order)]


def _random_rectangles(footprint: np.ndarray, room: np.ndarray, rng: Generator) -> np.ndarray:
    """Rectangles (T, 5) of one size with any heading, anywhere in the room; T is 0 if it fits nowhere."""
    yaw = rng.uniform(-np.pi, np.pi, TRIES)
    bounds = np.einsum('tij,i->tj', np.abs(_axes(yaw)), footprint)  # extent along the walls
    slack = room - bounds
    centers = rng.uniform(-0.5, 0.5, (TRIES, 2)) * slack
    sizes = np.broadcast_to(footprint, (TRIES, 2))
    fits = (slack > 0).all(axis=1)
    return np.concatenate([centers, sizes, yaw[:, None]], axis=1)[fits]
