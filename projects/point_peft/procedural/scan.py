"""The "scan" corruption: what a depth camera in a room would give instead of a clean object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from .primitives import rotation_about

BACKGROUND = -1
"""Part id of points that are not on the object."""


@dataclass(frozen=True)
class ScanSettings:
    """How strong the corruption is; lengths are relative to the object's radius.

    Attributes:
        tilt (float): largest rotation about the two horizontal axes, in radians.
        background (tuple[float, float]): range of the share of points on the floor and a wall.
        elevation (tuple[float, float]): range of the camera's height angle, in radians.
        cell (float): side of a pixel of the depth image that decides what is hidden.
        margin (float): how far behind the nearest point of its pixel a point may lie and still be seen.
        jitter (float): standard deviation of the noise.
    """

    tilt: float = 0.1
    background: tuple[float, float] = (0.0, 0.2)
    elevation: tuple[float, float] = (0.1, 0.7)
    cell: float = 0.1
    margin: float = 0.25
    jitter: float = 0.01


def scan_object(
    points: np.ndarray, parts: np.ndarray, rng: Generator, *, num_points: int, settings: ScanSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Turn, occlude, surround and jitter an object.

    Args:
        points (np.ndarray): (M, 3) dense points of the object, y up, within the unit sphere.
        parts (np.ndarray): (M,) int64 part ids.
        rng (Generator): decides everything.
        num_points (int): points to return, drawn from what the camera sees; repeats when it sees too few.
        settings (ScanSettings): strengths.

    Returns:
        tuple[np.ndarray, np.ndarray]: (num_points, 3) and (num_points,) part ids, BACKGROUND for the room.
    """
    points = points @ _random_pose(rng, settings).T
    share = rng.uniform(*settings.background)
    room = _room(points, rng, count=round(share * len(points)))
    everything = np.concatenate([points, room])
    labels = np.concatenate([parts, np.full(len(room), BACKGROUND)])
    seen = np.flatnonzero(
        visible(everything, _camera(rng, settings), cell=settings.cell, margin=settings.margin)
    )
    chosen = rng.choice(seen, num_points, replace=len(seen) < num_points)
    noise = settings.jitter * rng.standard_normal((num_points, 3))
    return everything[chosen] + noise, labels[chosen]


def visible(points: np.ndarray, direction: np.ndarray, *, cell: float, margin: float) -> np.ndarray:
    """Which points a distant camera sees, by an orthographic depth image.

    Args:
        points (np.ndarray): (M, 3).
        direction (np.ndarray): (3,) unit vector towards the camera.
        cell (float): side of a pixel.
        margin (float): depth behind the nearest point of a pixel up to which points are seen.

    Returns:
        np.ndarray: (M,) bool; the nearest point of every pixel is always seen.
    """
    side = np.cross(direction, [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    plane = np.stack([points @ side, points @ np.cross(side, direction)], axis=1)
    depth = points @ direction
    pixel = np.floor((plane - plane.min(axis=0)) / cell).astype(np.int64)
    flat = pixel[:, 0] * (pixel[:, 1].max() + 1) + pixel[:, 1]
    nearest = np.full(flat.max() + 1, -np.inf)
    np.maximum.at(nearest, flat, depth)
    return depth >= nearest[flat] - margin


def _random_pose(rng: Generator, settings: ScanSettings) -> np.ndarray:
    """Any turn about the up axis, then a small tilt."""
    tilt_x, tilt_z = rng.uniform(-settings.tilt, settings.tilt, size=2)
    return (
        rotation_about(0, tilt_x) @ rotation_about(2, tilt_z) @ rotation_about(1, rng.uniform(0, 2 * np.pi))
    )


def _camera(rng: Generator, settings: ScanSettings) -> np.ndarray:
    """Unit vector (3,) towards the camera; the walls are behind the object, so azimuth stays in front."""
    azimuth, elevation = rng.uniform(-0.9, 0.9), rng.uniform(*settings.elevation)
    return np.array(
        [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)]
    )


def _room(points: np.ndarray, rng: Generator, *, count: int) -> np.ndarray:
    """Points (count, 3) on a patch of floor under the object and, half of the time, a wall behind it."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle, extent = (low + high) / 2, (high - low) * rng.uniform(1.0, 1.5)
    room = middle + (rng.random((count, 3)) - 0.5) * extent
    on_wall = rng.random(count) < rng.choice([0.0, 0.5])
    room[~on_wall, 1] = low[1]
    room[on_wall, 2] = low[2] - rng.uniform(0.0, 0.2)
    return room
