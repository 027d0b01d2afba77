"""Points in boxes on a CPU against a slow reference, and mmdet3d's box structures that ask for them."""

import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmdet3d')
sys.path.insert(0, str(Path(__file__).resolve().parent))

import reference_ops as reference  # noqa: E402
from mmcv import ops  # noqa: E402
from mmdet3d.structures import DepthInstance3DBoxes  # noqa: E402
from op_cases import boxes, cloud, rows  # noqa: E402

import point_peft.detection  # noqa: E402, F401


def test_points_in_boxes():
    points = cloud('random', 300) + torch.tensor([0.0, 0.0, -1.0])
    both = list(zip(rows(points), rows(boxes())))
    every, first = ops.points_in_boxes_all(points, boxes()), ops.points_in_boxes_part(points, boxes())
    assert every.dtype == first.dtype == torch.int32 and every.is_contiguous()
    assert every.tolist() == [reference.boxes_all(*pair) for pair in both]
    assert first.tolist() == [reference.boxes_part(*pair) for pair in both]
    assert (every.sum(-1) > 1).any() and (first == -1).any() and (first > 0).any()


def test_sides_of_a_box():
    box = torch.tensor([[[0.0, 0.0, 1.0, 2.0, 4.0, 3.0, 0.0]]])  # z from 1 to 4
    points = torch.tensor(
        [[[0.0, 0.0, 1.0], [0, 0, 4], [0, 0, 0.99], [0, 0, 4.01], [1, 0, 2], [0, 2, 2], [0.99, -1.99, 2]]]
    )
    assert ops.points_in_boxes_all(points, box).flatten().tolist() == [1, 1, 0, 0, 0, 0, 1]
    assert ops.points_in_boxes_part(points, box).flatten().tolist() == [0, 0, -1, -1, -1, -1, 0]


def test_no_boxes():
    points = cloud('random', 5)
    assert ops.points_in_boxes_all(points, torch.zeros(2, 0, 7)).shape == (2, 5, 0)
    assert ops.points_in_boxes_part(points, torch.zeros(2, 0, 7)).tolist() == [[-1] * 5] * 2


def test_box_structures():
    # Rotations of the structure and of the operation must agree: shrunken corners are inside, stretched ones not.
    structure = DepthInstance3DBoxes(boxes(batch=1, num_boxes=6)[0])
    centers = structure.gravity_center.unsqueeze(1)
    offsets = structure.corners - centers
    for scale, inside in ((0.99, 1), (1.01, 0)):
        points = (centers + offsets * scale).flatten(0, 1)
        own = structure.points_in_boxes_all(points).view(6, 8, 6).diagonal(dim1=0, dim2=2)
        assert own.unique().tolist() == [inside]
    apart = DepthInstance3DBoxes(structure.tensor + torch.arange(6.0).mul(9)[:, None] * torch.eye(7)[0])
    points = torch.cat([apart.gravity_center.flip(0), torch.full((1, 3), -50.0)])
    assert apart.points_in_boxes_part(points).tolist() == [5, 4, 3, 2, 1, 0, -1]
