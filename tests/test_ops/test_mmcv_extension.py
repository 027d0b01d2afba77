"""mmcv's box operations in PyTorch, against exact values and against areas counted on a grid."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor

from point_peft.ops import mmcv_extension
from point_peft.ops.mmcv_extension import box_iou_rotated, points_in_boxes_cpu_forward


def iou(first: Tensor, second: Tensor, *, mode: int = 0, aligned: bool = False) -> Tensor:
    result = first.new_zeros(len(first) if aligned else len(first) * len(second))
    box_iou_rotated(first, second, result, mode_flag=mode, aligned=aligned)
    return result if aligned else result.view(len(first), len(second))


def box(x: float, y: float, w: float, h: float, degrees: float = 0.0) -> Tensor:
    return torch.tensor([[x, y, w, h, math.radians(degrees)]])


@pytest.mark.parametrize(
    ('first', 'second', 'expected'),
    [
        (box(0, 0, 2, 2), box(0, 0, 2, 2), 1.0),
        (box(0, 0, 2, 2), box(0, 0, 2, 2, 90), 1.0),
        (box(3, -1, 2, 1, 30), box(3, -1, 2, 1, 210), 1.0),
        (box(0, 0, 2, 2), box(1, 0, 2, 2), 1 / 3),
        (box(0, 0, 2, 2), box(2, 0, 2, 2), 0.0),  # they touch
        (box(0, 0, 2, 2), box(5, 5, 2, 2, 45), 0.0),
        (box(0, 0, 4, 4), box(0.5, 0.5, 1, 1, 30), 1 / 16),  # one in the other
        (
            box(0, 0, 2, 2),
            box(0, 0, 2, 2, 45),
            (8 * math.sqrt(2) - 8) / (16 - 8 * math.sqrt(2)),
        ),  # an octagon
        (box(0, 0, 0, 2), box(0, 0, 2, 2), 0.0),
        (box(0, 0, 0, 0), box(0, 0, 0, 0), 0.0),
        (box(1000, 1000, 2, 2), box(1001, 1000, 2, 2), 1 / 3),
    ],
)
def test_known_overlaps(first: Tensor, second: Tensor, expected: float) -> None:
    assert iou(first, second).item() == pytest.approx(expected, abs=1e-6)
    assert iou(second, first).item() == pytest.approx(expected, abs=1e-6)


def random_boxes(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(count, 5, generator=generator)
    return values * torch.tensor([2.0, 2.0, 2.0, 2.0, 2 * math.pi]) + torch.tensor([0, 0, 0.3, 0.3, 0])


def test_against_a_grid() -> None:
    """Counted on a fine grid, intersections and unions are the same; aligned pairs are the diagonal."""
    first, second = random_boxes(6, 0), random_boxes(6, 1)
    axis = torch.linspace(-2, 5, 1401, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing='ij'), dim=-1).view(-1, 2)

    def covered(boxes: Tensor) -> Tensor:
        x, y = (grid[None] - boxes[:, None, :2].double()).unbind(-1)
        cos, sin = boxes[:, 4:].double().cos(), boxes[:, 4:].double().sin()
        return ((x * cos + y * sin).abs() <= boxes[:, 2:3] / 2) & (
            (y * cos - x * sin).abs() <= boxes[:, 3:4] / 2
        )

    one, other = covered(first).double(), covered(second).double()
    both = one @ other.T
    union = one.sum(1)[:, None] + other.sum(1) - both
    torch.testing.assert_close(iou(first, second).double(), both / union, atol=5e-3, rtol=0)
    torch.testing.assert_close(
        iou(first, second, mode=1).double(), both / one.sum(1)[:, None], atol=5e-3, rtol=0
    )
    torch.testing.assert_close(iou(first, second, aligned=True), iou(first, second).diagonal())


def test_moved_together() -> None:
    """Overlaps do not change when both rectangles are turned and moved, far away too."""
    first, second = random_boxes(20, 2), random_boxes(20, 3)
    turn = torch.tensor(0.7)
    rotation = torch.tensor([[turn.cos(), -turn.sin()], [turn.sin(), turn.cos()]])

    def moved(boxes: Tensor) -> Tensor:
        return torch.cat([boxes[:, :2] @ rotation.T + 30, boxes[:, 2:4], boxes[:, 4:] + turn], dim=1)

    torch.testing.assert_close(iou(moved(first), moved(second)), iou(first, second), atol=1e-4, rtol=0)


def test_no_boxes() -> None:
    assert iou(torch.zeros(0, 5), random_boxes(3, 0)).shape == (0, 3)
    inside = torch.zeros(0, 4, dtype=torch.int32)
    points_in_boxes_cpu_forward(torch.zeros(0, 7), torch.zeros(4, 3), inside)


def test_points_in_boxes() -> None:
    """Bottom and top are inside, the other sides are not; a box turned by 90 degrees has its sides exchanged."""
    boxes = torch.tensor([[0.0, 0, 1, 2, 4, 3, 0], [0, 0, 1, 2, 4, 3, math.pi / 2]])
    points = torch.tensor([[0.0, 0, 1], [0, 0, 4], [0, 0, 4.01], [1, 0, 2], [0.99, -1.9, 2], [1.9, 0.9, 2]])
    inside = torch.zeros(2, 6, dtype=torch.int32)
    points_in_boxes_cpu_forward(boxes, points, inside)
    assert inside.tolist() == [[1, 1, 0, 0, 1, 0], [1, 1, 0, 1, 0, 1]]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An mmcv that is not compiled, the only one that can be imported until the test is over."""
    for name in of_mmcv():
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv' / '__init__.py').touch()
    monkeypatch.syspath_prepend(tmp_path)
    mmcv_extension.supply_extension()
    yield tmp_path / 'mmcv'
    for name in of_mmcv():
        del sys.modules[name]


def of_mmcv() -> list[str]:
    """Its modules that are imported."""
    return [name for name in sys.modules if name.partition('.')[0] == 'mmcv']


def test_in_place_of_the_extension(package: Path) -> None:
    """mmcv's names are all there; those that nothing here computes say how to get them."""
    extension = import_module('mmcv._ext')
    assert extension.box_iou_rotated is box_iou_rotated
    with pytest.raises(NotImplementedError, match=r'ball_query_forward is not compiled here.*MMCV=compiled'):
        extension.ball_query_forward(1, 2, x=3)
    assert find_spec('mmcv._ext') is not None and find_spec('mmcv._other') is None


def test_a_compiled_one_stays(package: Path) -> None:
    """The extension of mmcv comes first; asking twice for ours changes nothing."""
    (package / '_ext.py').write_text('compiled = True')
    mmcv_extension.supply_extension()
    assert import_module('mmcv._ext').compiled
