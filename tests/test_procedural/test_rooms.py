"""The built-in rooms."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from mmengine.config import Config

from point_peft.procedural.rooms import (
    BACKGROUND,
    EXTENTS,
    OBJECTS,
    ROOM_CLASSES,
    WALL_HEIGHT,
    Room,
    make_room,
)
from point_peft.procedural.shapes import CLASSES

CONFIG = 'configs/_base_/datasets/shapes_scene.py'


@pytest.fixture(scope='module')
def rooms() -> list[Room]:
    """Forty rooms of 1024 points."""
    return [make_room(index, num_points=1024) for index in range(40)]


def inside(box: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Which points (N, 3) are in a box (7,), by going to the box's own axes."""
    local = points - box[:3]
    along = local[:, 0] * np.cos(box[6]) + local[:, 1] * np.sin(box[6])
    across = local[:, 1] * np.cos(box[6]) - local[:, 0] * np.sin(box[6])
    return (np.abs(np.stack([along, across, local[:, 2]], axis=1)) <= box[3:6] / 2).all(axis=1)


def grid(box: np.ndarray) -> np.ndarray:
    """Points (M, 3) all over a box (7,)."""
    steps = np.linspace(-0.5, 0.5, 12)
    local = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3) * box[3:6]
    x = local[:, 0] * np.cos(box[6]) - local[:, 1] * np.sin(box[6])
    y = local[:, 0] * np.sin(box[6]) + local[:, 1] * np.cos(box[6])
    return np.stack([x, y, local[:, 2]], axis=1) + box[:3]


def test_shapes(rooms: list[Room]) -> None:
    """Types, sizes and ranges as mmdet3d's files have them."""
    for room in rooms:
        objects = len(room.labels)
        assert OBJECTS[0] <= objects <= OBJECTS[1]
        assert room.points.shape == (1024, 6) and room.points.dtype == np.float32
        assert room.boxes.shape == (objects, 7) and room.boxes.dtype == np.float32
        assert room.labels.dtype == room.instances.dtype == room.semantics.dtype == np.int64
        assert room.points[:, 3:].min() >= 0 and room.points[:, 3:].max() <= 255
        assert room.points[:, 3:].max() > 1
        assert set(room.instances.tolist()) == set(range(objects + 1))
        expected = np.concatenate([[BACKGROUND], room.labels])[room.instances]
        np.testing.assert_array_equal(room.semantics, expected)
    assert {len(room.labels) for room in rooms} >= {OBJECTS[0], OBJECTS[1]}


def test_boxes_hold_their_points_tightly(rooms: list[Room]) -> None:
    """All points of an object are in its box, and a box that is a tenth smaller does not hold them."""
    for room in rooms:
        for number, box in enumerate(room.boxes, start=1):
            points = room.points[room.instances == number, :3]
            assert len(points) > 0 and inside(box, points).all()
    for room in (make_room(index, num_points=20000) for index in range(3)):
        for number, box in enumerate(room.boxes, start=1):
            points = room.points[room.instances == number, :3]
            for axis in (3, 4, 5):
                smaller = box.copy()
                smaller[axis] *= 0.9
                assert not inside(smaller, points).all()


def test_nothing_overlaps(rooms: list[Room]) -> None:
    """No place in a box is in another box."""
    for room in rooms:
        for first, box in enumerate(room.boxes):
            for second, other in enumerate(room.boxes):
                assert first == second or not inside(other, grid(box)).any()


def test_units(rooms: list[Room]) -> None:
    """Metres; everything stands on the floor within the walls."""
    for room in rooms:
        bottom = room.boxes[:, 2] - room.boxes[:, 5] / 2
        np.testing.assert_allclose(bottom, 0, atol=2e-3)
        shell = room.points[room.instances == 0, :3]
        floor = shell[np.abs(shell[:, 2]) < 0.03]
        low, high = floor[:, :2].min(axis=0) - 0.3, floor[:, :2].max(axis=0) + 0.3
        for box in room.boxes:
            corners = grid(box)[:, :2]
            assert (corners >= low).all() and (corners <= high).all()
        assert len(floor) > 50
        assert WALL_HEIGHT[0] * 0.8 < shell[:, 2].max() < WALL_HEIGHT[1] + 0.03
        for box, label in zip(room.boxes, room.labels):
            shortest, longest = EXTENTS[ROOM_CLASSES[label]]
            assert shortest - 0.01 < box[3:6].max() < longest + 0.06  # with noise on both sides


def test_all_classes_and_headings(rooms: list[Room]) -> None:
    """Every class occurs, each is one of the procedural shapes, and objects face all sides."""
    labels = np.concatenate([room.labels for room in rooms])
    assert set(labels.tolist()) == set(range(len(ROOM_CLASSES)))
    assert set(ROOM_CLASSES) < set(CLASSES)
    yaws = np.concatenate([room.boxes[:, 6] for room in rooms])
    assert (np.abs(yaws) <= np.pi).all()
    assert (np.histogram(yaws, bins=4, range=(-np.pi, np.pi))[0] > len(yaws) / 8).all()


def test_heading_is_the_side_that_an_object_faces() -> None:
    """A chair's back is behind the middle of its seat; without this, the yaw would be noise to learn."""
    behind = []
    for index in range(40):
        room = make_room(index, num_points=8192)
        for number in np.flatnonzero(room.labels == ROOM_CLASSES.index('chair')):
            box = room.boxes[number]
            points = room.points[room.instances == number + 1, :3]
            back = points[points[:, 2] > 0.8 * box[5], :2].mean(axis=0) - points[:, :2].mean(axis=0)
            behind.append(back @ [np.cos(box[6]), np.sin(box[6])] < 0)
    assert len(behind) > 20 and np.mean(behind) > 0.8


def test_beds_lie_along_their_heading(rooms: list[Room]) -> None:
    """Beds come in quarter turns; their boxes do not."""
    beds = np.concatenate([room.boxes[room.labels == ROOM_CLASSES.index('bed')] for room in rooms])
    assert len(beds) > 10 and (beds[:, 3] > beds[:, 4]).all()


def test_deterministic_by_seed() -> None:
    """The same arguments give the same room; another seed, split or number another one."""
    first, again = make_room(3, num_points=600), make_room(3, num_points=600)
    for one, other in zip(astuple(first), astuple(again)):
        np.testing.assert_array_equal(one, other)
    for changes in (dict(seed=1), dict(split='val'), dict(index=4)):
        room = make_room(**dict(dict(index=3, num_points=600), **changes))
        assert not (room.points[:, :3] == first.points[:, :3]).all(axis=1).any()


def test_wrong_arguments() -> None:
    """Sentences that name the argument."""
    with pytest.raises(ValueError, match=r"split='valid' is none of train, val, test"):
        make_room(0, split='valid')
    with pytest.raises(ValueError, match=r'num_points=100 must be at least 512'):
        make_room(0, num_points=100)


def test_config() -> None:
    """Classes and mean sizes of the config are those of the recipe."""
    cfg = Config.fromfile(CONFIG)
    assert tuple(cfg.class_names) == ROOM_CLASSES
    assert cfg.num_classes == cfg.box_coder.num_sizes == len(ROOM_CLASSES)
    rooms = [make_room(index, num_points=cfg.num_points) for index in range(200)]
    boxes = np.concatenate([room.boxes for room in rooms])
    labels = np.concatenate([room.labels for room in rooms])
    measured = [boxes[labels == label, 3:6].mean(axis=0) for label in range(len(ROOM_CLASSES))]
    np.testing.assert_allclose(cfg.box_coder.mean_sizes, measured, atol=0.006)
