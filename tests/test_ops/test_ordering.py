"""The greedy order against a slow loop, and its properties; Morton codes."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from point_peft.ops import greedy_order, morton_order


def walk(cloud: list[list[float]], reference: ModuleType) -> list[int]:
    """From the first point to the nearest one that has not been visited; the lowest index wins a tie."""
    visited = [0]
    while len(visited) < len(cloud):
        left = [index for index in range(len(cloud)) if index not in visited]
        visited.append(min(left, key=lambda i: (reference.squared_distance(cloud[visited[-1]], cloud[i]), i)))
    return visited


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_against_a_loop(data: st.DataObject, clouds: Callable, reference: ModuleType) -> None:
    """Bit for bit, on lattices, lines, duplicates and single points too, ties included."""
    points = data.draw(clouds())
    assert greedy_order(points).tolist() == [walk(cloud.tolist(), reference) for cloud in points]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_permutation(data: st.DataObject, clouds: Callable) -> None:
    """Every point is visited once, the first one first."""
    order = greedy_order(data.draw(clouds()))
    assert order.dtype == torch.int64 and order[:, 0].eq(0).all()
    assert torch.equal(order.sort(dim=1).values, torch.arange(order.shape[1]).expand_as(order))


def test_by_hand() -> None:
    """On a line at 0, 5, 1, 9, -2: from 0 to 1 (2), back to -2 (4), over to 5 (1), 9 (3)."""
    line = torch.tensor([0.0, 5, 1, 9, -2]).view(1, -1, 1) * torch.tensor([1.0, 0, 0])
    assert greedy_order(line).tolist() == [[0, 2, 4, 1, 3]]


def test_ties() -> None:
    """The lowest index of the points at the same distance, and of equal points."""
    cross = torch.tensor([[[0.0, 0, 0], [0, 1, 0], [1, 0, 0], [0, -1, 0], [-1, 0, 0]]])
    assert greedy_order(cross).tolist() == [[0, 1, 2, 3, 4]]
    assert greedy_order(torch.ones(1, 4, 3)).tolist() == [[0, 1, 2, 3]]


def test_relabelled_points(cloud_batch: Tensor) -> None:
    """Without ties the path is the same one, whatever the numbers of the points; so is it after a rigid motion."""
    order = greedy_order(cloud_batch)
    labels = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + torch.randperm(63)])
    assert torch.equal(labels[greedy_order(cloud_batch[:, labels])], order)
    assert torch.equal(greedy_order(2 * cloud_batch.flip(-1)), order)


def test_samples_are_independent(cloud_batch: Tensor) -> None:
    """Alone as in the batch, without a graph, and not in another precision."""
    points = cloud_batch.clone().requires_grad_()
    order = greedy_order(points)
    assert torch.equal(torch.cat([greedy_order(cloud[None]) for cloud in cloud_batch]), order)
    assert not order.requires_grad and torch.equal(greedy_order(cloud_batch.double()), order)


def test_half_precision() -> None:
    """Distances are computed in float32: half precision would round them to infinity."""
    points = torch.tensor([[[0.0, 0, 0], [600, 0, 0], [400, 0, 0]]], dtype=torch.float16)
    assert greedy_order(points).tolist() == [[0, 2, 1]]


def test_one_point() -> None:
    """Nothing to choose."""
    assert greedy_order(torch.zeros(2, 1, 3)).tolist() == [[0], [0]]


@pytest.mark.parametrize('shape', [(4, 3), (2, 4, 2), (2, 0, 3)])
def test_bad_shape(shape: tuple[int, ...]) -> None:
    """The message names the argument and the shape."""
    with pytest.raises(ValueError, match=r'points.*\(' + ', '.join(map(str, shape))):
        greedy_order(torch.zeros(shape))


def test_morton_order_by_hand() -> None:
    """Cells of a 2 x 2 x 2 grid in the order of their codes, x the fastest; points of one cell as they come."""
    corners = torch.tensor([[x, y, z] for x in (1, 0) for y in (0, 1) for z in (1, 0)], dtype=torch.float32)
    points = torch.cat([corners, corners[:1] + 0.1])[None] - 5
    codes = [int(x + 2 * y + 4 * z) for x, y, z in corners]
    expected = sorted(range(8), key=codes.__getitem__)
    expected.insert(expected.index(0) + 1, 8)
    assert morton_order(points, 1.0)[0].tolist() == expected
    assert morton_order(points * 1e9, 1.0).sort(dim=1).values.tolist() == [list(range(9))]
